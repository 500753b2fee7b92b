"""Compiled forward passes: the options are accepted, and oneDNN is not used where programs are kept."""

import subprocess
import sys

import jax
import numpy as np
import pytest
import small

from jaxdepth import models
from jaxdepth.models import compiled

CODE = """
import jax, jax.numpy as jnp
from jaxdepth.models import compiled
from jaxdepth.models.conv import conv

x, kernel = jnp.ones((8, 57, 76, 32)), jnp.ones((3, 3, 32, 32))
print(float(compiled.jit(conv)(x, kernel).sum()))
"""


def test_predictions_are_the_same():
    net = small.network()
    variables = small.fresh(net)
    image = np.float32(np.random.default_rng(0).random((2, *small.SIZE, 3)))

    def predict(variables, image):
        return models.outputs(net, variables, image, flip_tta=True)

    found, expected = compiled.jit(predict)(variables, image), jax.jit(predict)(variables, image)
    for name in net.groups:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kept", [False, True])
def test_programs_are_kept_or_not(tmp_path, kept):
    """In processes of their own: jax 0.12 crashes when it keeps a program with calls of oneDNN."""
    environment = {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(small.ROOT), "PATH": "", "HOME": str(tmp_path)}
    if kept:
        environment |= {
            "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "kept"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
    for _ in range(1 + kept):
        done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert float(done.stdout) == pytest.approx(8 * 32 * 32 * (57 * 3 - 2) * (76 * 3 - 2))
    assert (tmp_path / "kept").is_dir() == kept
