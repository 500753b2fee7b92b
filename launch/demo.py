"""Shows depth in the browser: `python launch/demo.py [--port=N]`, or `--output=SITE` for a folder of files.

It serves a page on this machine. A photo, or what the camera sees, becomes depth and a point cloud in the browser
itself; nothing is uploaded. The folder that --output writes works on any host of static files (docs/page.md).
"""

from absl import app, flags

from jaxdepth import cli

_WORKDIR = flags.DEFINE_string("workdir", "package", "Workdir of the run, packed network, or `package` for jaxdepth's.")
_STEP = flags.DEFINE_string("step", "last", "Which checkpoint: a step, last, or best (by validation delta1).")
_PORT = flags.DEFINE_integer("port", 8000, "Port on 127.0.0.1; 0 for any that is free.")
_OUTPUT = flags.DEFINE_string("output", None, "Write the page into this folder, a new or empty one, and serve nothing.")


def main(argv):
    if argv[1:]:
        raise app.UsageError(f"{argv[1]!r}: expected flags only, such as --output=SITE")
    from jaxdepth import page
    from jaxdepth.page import server

    step = cli.step(_STEP.value)
    if _OUTPUT.value is not None:
        cli.only_with("serving, not with --output", ["port"])
        size = page.write(_WORKDIR.value, _OUTPUT.value, step=step)
        print(f"{_OUTPUT.value}: {size / 1e6:.0f} MB of files for any host")
        print(f"try it: python -m http.server --bind=127.0.0.1 --directory={_OUTPUT.value}")
        return
    with server.make(port=_PORT.value) as serving:  # the port first: the network may take a while
        serving.places["network"] = page.network_files(_WORKDIR.value, step=step)
        print(f"http://127.0.0.1:{serving.server_port}/ in a browser; Ctrl-C ends it", flush=True)
        serving.serve_forever()


if __name__ == "__main__":
    cli.run(main)
