"""Every test sees four CPU devices, strict shapes and warnings as errors, and none needs the network."""

import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# Arrays are small here: compiling takes longer than computing, and tests (and the processes that they start) share it.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", tempfile.mkdtemp(prefix="jaxdepth-tests-"))
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax

jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
