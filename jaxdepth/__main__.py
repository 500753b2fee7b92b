"""`python -m jaxdepth`, the same as the command `jaxdepth`."""

from jaxdepth.commands import main

if __name__ == "__main__":
    main()
