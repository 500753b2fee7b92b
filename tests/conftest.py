"""Every test sees four CPU devices, strict shapes and warnings as errors, and none needs the network."""

import atexit
import os
import shutil
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# Arrays are small here: compiling takes longer than computing, and tests (and the processes that they start) share it.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
for variable in ("JAX_COMPILATION_CACHE_DIR", "JAXDEPTH_CACHE"):
    if variable not in os.environ:
        os.environ[variable] = tempfile.mkdtemp(prefix="jaxdepth-tests-")
        atexit.register(shutil.rmtree, os.environ[variable], ignore_errors=True)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402

jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
