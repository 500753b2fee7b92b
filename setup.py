"""What setup.cfg cannot say: `launch` and `configs` lie beside the package in a clone, and inside it in the wheel."""

from setuptools import find_packages, setup

BESIDE = {"jaxdepth.launch": "launch", "jaxdepth.configs": "configs"}

setup(packages=[*find_packages(include=["jaxdepth*"]), *BESIDE], package_dir=BESIDE)
