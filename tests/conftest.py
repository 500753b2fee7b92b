"""Every test sees four CPU devices, strict shapes and warnings as errors, and none needs the network."""

import atexit
import gc
import mmap
import os
import pathlib
import shutil
import tempfile

import jaxlib


def known_to_xla(flag):
    """XLA ends the process at a flag that it does not know, and not every one stays for ever.

    A known flag is a string of its own in the library; of a removed one only a reserved field's name remains.
    """
    for library in pathlib.Path(jaxlib.__file__).parent.glob("*jax_common*"):
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as code:
            return code.find(b"\0" + flag.encode() + b"\0") >= 0
    return False


os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# Arrays are small here: compiling takes longer than computing, and tests (and the processes that they start) share it.
# XLA's fusion emitters for the CPU double what a training step takes to compile, and parts compiled by several threads
# take a third more.
FLAGS = {
    "xla_backend_optimization_level": "0",
    "xla_cpu_use_fusion_emitters": "false",
    "xla_cpu_parallel_codegen_split_count": "1",
}
os.environ.setdefault("XLA_FLAGS", " ".join(f"--{flag}={value}" for flag, value in FLAGS.items() if known_to_xla(flag)))
for variable in ("JAX_COMPILATION_CACHE_DIR", "JAXDEPTH_CACHE"):
    if variable not in os.environ:
        os.environ[variable] = tempfile.mkdtemp(prefix="jaxdepth-tests-")
        atexit.register(shutil.rmtree, os.environ[variable], ignore_errors=True)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import pytest  # noqa: E402

# Traces are millions of objects: searched for cycles as often as by default, they take a tenth of the time.
gc.set_threshold(50_000, 20)

jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def nyu_frames():
    """A folder with images/NNNN.jpg and 8-bit codes depths/NNNN.png of NYU's official training frames.

    $JAXDEPTH_NYU_FRAMES, or a folder `nyu` within a neighbour of the clone.
    """
    given = os.environ.get("JAXDEPTH_NYU_FRAMES")
    places = [pathlib.Path(given)] if given else sorted(pathlib.Path(__file__).parents[2].glob("*/nyu"))
    for place in places:
        if given or all((place / part).is_dir() for part in ("images", "depths")):
            return place
    pytest.skip("no frames of NYU Depth V2: JAXDEPTH_NYU_FRAMES is not set, and none lie in ../*/nyu")
