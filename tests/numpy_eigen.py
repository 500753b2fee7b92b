"""The layers of Eigen's network in float64 numpy, written from the published table and not from the package."""

import jax
import jax.numpy as jnp
import numpy as np

SMALL, NYU, KITTI = (64, 96), (228, 304), (172, 576)


def picture(size, *, seed=0):
    return np.random.default_rng(seed).random((2, *size, 3), np.float32)


def shapes(net, size):
    """The network's variables for pictures [H, W], without computing them."""
    return jax.eval_shape(net.init, jax.random.key(0), jax.ShapeDtypeStruct((1, *size, 3), jnp.float32))


def random_variables(net, size):
    """Values that keep the size of the features, and give every bias, scale and statistic a part in the output."""
    rng = np.random.default_rng(1)

    def draw(path, leaf):
        name, normal = path[-1].key, rng.standard_normal(leaf.shape)
        if name == "kernel":
            normal *= np.sqrt(2 / np.prod(leaf.shape[:-1]))
        elif name in ("scale", "var"):
            normal = np.exp(0.3 * normal)
        else:
            normal = 0.3 * normal
        return np.asarray(normal, np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes(net, size))


def convolve(x, layer, *, stride=1, padding):
    """One kernel element at a time, in float64; without a bias where the layer has none."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    kernel = np.asarray(layer["kernel"], np.float64)
    height, width = ((n - size) // stride + 1 for n, size in zip(x.shape[1:3], kernel.shape, strict=False))
    y = np.zeros((len(x), height, width, kernel.shape[-1])) + layer.get("bias", 0)
    for i, j in np.ndindex(*kernel.shape[:2]):
        y += x[:, i : i + stride * height : stride, j : j + stride * width : stride][:, :height, :width] @ kernel[i, j]
    return y


def relu(x):
    return np.maximum(x, 0)


def pool(x, size):
    """The maximum of every window of size x size that fits, two pixels apart."""
    starts = [range(0, n - size + 1, 2) for n in x.shape[1:3]]
    rows = [[x[:, i : i + size, j : j + size].max((1, 2)) for j in starts[1]] for i in starts[0]]
    return np.stack([np.stack(row, 1) for row in rows], 1)


def normalise(x):
    """Krizhevsky et al. 2012, section 3.3, as in the release: alpha 1e-4 over 5 channels, beta .75."""
    channels = range(x.shape[-1])
    total = np.stack([np.square(x[..., max(c - 2, 0) : c + 3]).sum(-1) for c in channels], -1)
    return x / (1 + 1e-4 / 5 * total) ** 0.75


def enlarge(x, size, *, first, stride):
    """A map [B, h, w] at the pixels of [H, W], its pixel i centred on first + stride * i; the border continued."""
    rows, columns = (
        np.stack([np.interp(np.arange(n), first + stride * np.arange(m), unit) for unit in np.eye(m)])
        for n, m in zip(size, x.shape[1:3], strict=True)
    )
    return np.einsum("hH,bhw,wW->bHW", rows, x, columns, optimize=True)


def standardise(image):
    return (np.float64(image) - 0.43) / 0.30


def fully_connected(x, coarse, map_size):
    x = relu(x.reshape(len(x), -1) @ np.float64(coarse["full6"]["kernel"]) + coarse["full6"]["bias"])
    return (x @ np.float64(coarse["full7"]["kernel"]) + coarse["full7"]["bias"]).reshape(-1, *map_size, 1)


def coarse_map(x, coarse, map_size, *, normalised=False):
    """The coarse network on a standardised picture."""
    after = normalise if normalised else lambda x: x
    x = pool(after(relu(convolve(x, coarse["conv1"], stride=4, padding=2))), 3)
    x = pool(after(relu(convolve(x, coarse["conv2"], padding=2))), 3)
    x = relu(convolve(x, coarse["conv3"], padding=1))
    x = relu(convolve(x, coarse["conv4"], padding=1))
    x = pool(relu(convolve(x, coarse["conv5"], padding=1)), 3)
    return fully_connected(x, coarse, map_size)


def fine_map(x, fine, coarse):
    """The fine network on a standardised picture and a coarse map."""
    x = pool(relu(convolve(x, fine["conv1"], stride=2, padding=1)), 3)
    x = relu(convolve(np.concatenate([x, coarse], -1), fine["conv3"], padding=2))
    return convolve(x, fine["conv4"], padding=2)
