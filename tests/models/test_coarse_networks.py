"""Models 1 and 2, the mean depth image, and how a coarse and a second part work together in all three networks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small
from numpy_eigen import (
    NYU,
    SMALL,
    coarse_map,
    convolve,
    enlarge,
    fine_map,
    fully_connected,
    picture,
    pool,
    random_variables,
    relu,
    shapes,
    standardise,
)

from jaxdepth import models
from jaxdepth.models.conv import xla_gradients
from jaxdepth.training import gate, losses, state, step

NETWORKS = ("eigen", "autoencoder", "residual_coarse")


def network(name, **changes):
    only_eigen = dict(local_response_normalisation=False) if name == "eigen" else {}
    return models.build(name, **{**dict(width=1 / 16, dropout=0.5, dtype="float32"), **only_eigen, **changes})


@functools.cache
def random_case(name):
    """A small network, its variables, and pictures for it."""
    net = network(name)
    return net, random_variables(net, SMALL), picture(SMALL)


@functools.cache
def runner(name, trained):
    """`dropout key -> (prediction, coarse output, statistics)` with these groups in training mode."""
    net, variables, image = random_case(name)

    def run(key):
        arguments = dict(trained=trained, rngs={"dropout": key}, mutable=["batch_stats"])
        (prediction, outputs), updated = net.apply(variables, image, **arguments)
        return prediction, outputs["coarse"], updated.get("batch_stats", {})

    return jax.jit(run)


def normalised(x, layer, name, stats):
    scale, bias = layer[name]["scale"], layer[name]["bias"]
    return (x - stats[name]["mean"]) / np.sqrt(np.float64(stats[name]["var"]) + 1e-5) * scale + bias


def doubled(x):
    """Pixel i of the map covers the pixels 2i and 2i + 1 of the result."""
    size = [2 * n for n in x.shape[1:3]]
    return np.stack([enlarge(c, size, first=0.5, stride=2) for c in np.moveaxis(x, -1, 0)], -1)


def encoder_decoder(x, layer, stats, coarse):
    """Model 1's second part: standardised picture and coarse map -> log depth [B, H, W]."""

    def block(x, name, count):
        for i in range(1, count + 1):
            x = convolve(x, layer[f"{name}_{i}"], padding=1)
            x = relu(normalised(x, layer, f"{name}_{i}_norm", stats))
        return x

    sizes = []
    for number, count in enumerate((2, 2, 3), start=1):
        sizes.append(x.shape[1:3])
        x = pool(block(x, f"encoder{number}", count), 2)
    x = np.concatenate([x, coarse], -1)
    for number in (1, 2, 3):
        height, width = sizes.pop()
        x = doubled(x)[:, [*range(height - height % 2), height - height % 2 - 1][:height]]  # an odd last row: as before
        x = x[:, :, [*range(width - width % 2), width - width % 2 - 1][:width]]
        x = block(x, f"decoder{number}", 2)
    return convolve(x, layer["head"]["conv"], padding=1)[..., 0] + layer["head"]["bias"]


def residual_map(x, layer, stats, map_size):
    """Model 2's coarse part: standardised picture -> raw map."""
    x = convolve(x, layer["stem"], stride=4, padding=2)
    x = pool(relu(normalised(x, layer, "stem_norm", stats)), 3)
    for stage, blocks in ((1, 2), (2, 3), (3, 2)):
        for block in (f"stage{stage}_block{i + 1}" for i in range(blocks)):
            inner, inner_stats = layer[block], stats[block]
            y = relu(normalised(convolve(x, inner["conv1"], padding=1), inner, "norm1", inner_stats))
            y = normalised(convolve(y, inner["conv2"], padding=1), inner, "norm2", inner_stats)
            x = relu(y + (convolve(x, inner["projection"], padding=0) if "projection" in inner else x))
        x = pool(x, 3) if stage < 3 else x
    return fully_connected(x, layer, map_size)


def test_model_1_equals_float64_numpy():
    net = network("autoencoder")
    variables, image = random_variables(net, NYU), picture(NYU)  # on the way 57 rows, of which pooling leaves one out
    params, stats = variables["params"], variables["batch_stats"]
    prediction, outputs = jax.jit(net.apply)(variables, image)
    coarse = coarse_map(standardise(image), params["coarse"], (28, 38))
    expected = 0.4572 * enlarge(coarse[..., 0], NYU, first=3.5, stride=8)
    np.testing.assert_allclose(outputs["coarse"], expected, rtol=0, atol=1e-4)
    expected = encoder_decoder(standardise(image), params["autoencoder"], stats["autoencoder"], coarse)
    assert expected.std() > 0.1
    np.testing.assert_allclose(prediction, expected, rtol=0, atol=1e-4)


def test_model_2_equals_float64_numpy():
    net = network("residual_coarse")
    variables, image = random_variables(net, NYU), picture(NYU)
    params, stats = variables["params"], variables["batch_stats"]
    params["coarse"]["full6"]["kernel"] /= 100  # because every residual block adds to the features
    prediction, outputs = jax.jit(net.apply)(variables, image)
    x = standardise(image)
    coarse = residual_map(x, params["coarse"], stats["coarse"], (55, 74))
    for actual, raw in ((outputs["coarse"], coarse), (prediction, fine_map(x, params["fine"], coarse))):
        expected = 0.4572 * enlarge(raw[..., 0], NYU, first=5, stride=4)
        assert expected.std() > 0.1
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4)


def test_model_1_has_the_sizes_of_the_paper():
    net = network("autoencoder", width=1)
    prediction, outputs = jax.eval_shape(net.apply, shapes(net, NYU), picture(NYU))
    assert prediction.shape == (2, *NYU)
    assert {name: x.shape[1:3] for name, x in outputs.items() if not name.startswith("coarse/")} == {
        "coarse": NYU,
        "autoencoder/encoder1": (114, 152),
        "autoencoder/encoder2": (57, 76),
        "autoencoder/encoder3": (28, 38),
        "autoencoder/joined": (28, 38),
        "autoencoder/decoder1": (57, 76),
        "autoencoder/decoder2": (114, 152),
        "autoencoder/decoder3": (228, 304),
        "autoencoder": NYU,
    }
    assert [outputs[f"autoencoder/{name}"].shape[-1] for name in ("encoder3", "joined")] == [31, 32]
    assert outputs["coarse/map"].shape[1:] == (28, 38, 1) and outputs["coarse/full6"].shape[1:] == (4096,)
    assert outputs["coarse/conv5"].shape[1:] == (6, 8, 256)


def convolutions(params):
    names = jax.tree_util.tree_leaves_with_path(params)
    return [jax.tree_util.keystr(path) for path, x in names if x.ndim == 4]


def test_model_2_changes_the_coarse_convolutions_of_eigens_network_and_nothing_else():
    net, plain = network("residual_coarse", width=1), network("eigen", width=1)
    variables, eigens = shapes(net, NYU), shapes(plain, NYU)["params"]
    params = variables["params"]
    _, outputs = jax.eval_shape(net.apply, variables, picture(NYU))
    sizes = {name: x.shape[1:] for name, x in outputs.items() if not name.startswith("fine/")}
    assert sizes == {
        "coarse/stem": (27, 37, 64),
        "coarse/stage1": (13, 18, 128),
        "coarse/stage2": (6, 8, 256),
        "coarse/stage3": (6, 8, 256),
        "coarse/full6": (4096,),
        "coarse/map": (55, 74, 1),
        "coarse": NYU,
        "fine": NYU,
    }
    assert params["fine"] == eigens["fine"]
    assert {name: params["coarse"][name] for name in ("full6", "full7")} == {
        name: eigens["coarse"][name] for name in ("full6", "full7")
    }
    assert len(convolutions(eigens["coarse"])) == 5
    assert len([name for name in convolutions(params["coarse"]) if "projection" not in name]) == 15


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_starts_at_the_mean_depth_image(name):
    rows, columns = np.mgrid[: SMALL[0], : SMALL[1]] / 32
    mean = np.float32(0.8 * rows + 0.6 * np.sin(columns))
    net = network(name)

    @jax.jit
    def fresh_outputs(image):
        variables = net.starting_at(net.init(jax.random.key(0, impl="rbg"), image), mean)
        return net.apply(variables, image)[1]

    outputs = fresh_outputs(picture(SMALL))
    coarse, second = np.asarray(outputs["coarse"]), np.asarray(outputs[net.groups[0]])
    assert np.abs(mean - mean.mean()).mean() > 0.4  # a single number is far from the image
    assert np.abs(coarse - mean).mean() < 0.25
    if name == "autoencoder":
        assert np.abs(second - mean.mean()).mean() < 0.25
    else:  # the fine part starts as the coarse map
        np.testing.assert_allclose(second, coarse, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_gate_1_computes_the_coarse_part_only(name):
    net, variables, image = random_case(name)
    _, both = jax.jit(net.apply)(variables, image)
    only = {collection: {g: x for g, x in tree.items() if g == "coarse"} for collection, tree in variables.items()}
    prediction, outputs = jax.jit(functools.partial(net.apply, gate=1))(only, image)
    assert set(outputs) == {name for name in both if name.split("/")[0] == "coarse"}
    np.testing.assert_array_equal(prediction, outputs["coarse"])
    np.testing.assert_allclose(prediction, both["coarse"], rtol=1e-5, atol=1e-4)
    assert np.abs(both[net.groups[0]] - both["coarse"]).mean() > 0.1


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_stops_where_the_coarse_map_enters(name):
    net, variables, image = random_case(name)
    second = net.groups[0]
    rng = np.random.default_rng(3)
    direction = jax.tree.map(lambda x: rng.standard_normal(x.shape).astype(x.dtype), variables["params"]["coarse"])

    @functools.partial(jax.jit, static_argnums=0)
    def derivatives(stop_gradient):
        """Of both outputs, along a change of all the coarse parameters."""

        def outputs(coarse):
            changed = {**variables, "params": {**variables["params"], "coarse": coarse}}
            _, outputs = net.apply(changed, image, stop_gradient=stop_gradient)
            return outputs[second], outputs["coarse"]

        return jax.jvp(outputs, [variables["params"]["coarse"]], [direction])[1]

    with xla_gradients():  # the others have no forward mode
        stopped, through = derivatives(True), derivatives(False)
    of_second, of_coarse = stopped
    assert not np.any(of_second) and np.any(of_coarse)
    of_second, also_of_coarse = through
    assert np.mean(np.asarray(of_second) != 0) > 0.9  # a ReLU may hide it from a few pixels
    np.testing.assert_array_equal(of_coarse, also_of_coarse)


@pytest.mark.parametrize("name", NETWORKS)
def test_dropout_is_a_function_of_the_key_where_the_coarse_part_trains_and_absent_elsewhere(name):
    second = network(name).groups[0]
    keys = [jax.random.key(i) for i in range(2)]
    training, frozen, testing = (runner(name, trained) for trained in (("coarse",), (second,), ()))
    for output in (0, 1):  # the second part sees the coarse map, and differs with it
        first, again, other = (training(key)[output] for key in (keys[0], keys[0], keys[1]))
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).mean() > 1e-3
    np.testing.assert_array_equal(frozen(keys[0])[1], frozen(keys[1])[1])
    np.testing.assert_allclose(frozen(keys[0])[1], testing(keys[0])[1], atol=1e-6)
    if name != "autoencoder":  # whose second part has normalisations, and so differs in training
        np.testing.assert_allclose(frozen(keys[0])[0], testing(keys[0])[0], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "normalised_group", "norms"),
    [("eigen", None, 0), ("autoencoder", "autoencoder", 13), ("residual_coarse", "coarse", 15)],
)
def test_statistics_change_in_the_trained_group_only(name, normalised_group, norms):
    net, variables, _ = random_case(name)
    before = variables.get("batch_stats", {})
    assert set(before) == ({normalised_group} if norms else set())
    assert len(jax.tree.leaves(before)) == 2 * norms  # mean and variance
    for group in net.groups:
        after = runner(name, (group,))(jax.random.key(0))[2]
        if norms:
            same = jax.tree.leaves(jax.tree.map(np.array_equal, before, after))
            assert not any(same) if group == normalised_group else all(same)


def test_the_mean_depth_image_is_the_answer_to_every_picture():
    mean = np.random.default_rng(0).uniform(0, 2, small.SIZE).astype(np.float32)
    net = models.build("mean_depth", dtype="float32")
    images = picture(small.SIZE)
    variables = net.starting_at(net.init(jax.random.key(0), images[:1]), mean)
    assert set(variables) == {"batch_stats"} and state.shapes(net, small.SIZE)["params"] == {}
    prediction, outputs = net.apply(variables, images)
    np.testing.assert_array_equal(prediction, np.stack([mean, mean]))
    np.testing.assert_array_equal(outputs["stored"], prediction)
    stored_elsewhere = {"batch_stats": {"stored": jnp.asarray(mean + 1)}}  # as a checkpoint brings it
    np.testing.assert_array_equal(net.apply(stored_elsewhere, images)[0][1], mean + 1)
    with pytest.raises(ValueError, match="gate=1: expected 0"):
        net.apply(variables, images, gate=1)


def test_a_step_of_the_mean_depth_image_changes_the_global_step_only():
    net = models.build("mean_depth", dtype="float32")
    train_state, train_step, _ = small.trainer(net, rules=())
    before, batch = small.bits(train_state), small.batch()
    after, metrics = train_step(train_state, batch, gate.single(0, net.groups, stop_gradient=True))
    after_bits = small.bits(after)
    assert {name for name in before if before[name] != after_bits[name]} == {".step"} and int(after.step) == 1
    assert before.keys() == after_bits.keys() and any("stored" in name for name in before)
    errors = [0.9 - np.log(np.float64(depth[depth > 0])) for depth in batch["depth"]]
    expected = np.mean([np.mean(d**2) - 0.5 * np.mean(d) ** 2 for d in errors])
    np.testing.assert_allclose(metrics["total_loss"], expected, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["autoencoder", "residual_coarse"])
def test_a_compiled_gradient_is_that_of_single_operations(name):
    """Max pooling once lost gradients where XLA rounded its input anew in a fusion."""
    net = small.eigens(name, dropout=0.0)
    variables, batch = random_variables(net, SMALL), small.batch(2, size=SMALL)
    joint = gate.joint(net.groups, (1.0, 1.0), stop_gradient=False)

    def loss(params):
        changed = {"batch_stats": {}, **variables, "params": params}
        values, _ = step.gate_losses(net, changed, batch, joint, loss=losses.scale_invariant, key=jax.random.key(0))
        return sum(values.values())

    compiled, single = (gradient(variables["params"]) for gradient in (jax.jit(jax.grad(loss)), jax.grad(loss)))
    for path, expected in jax.tree_util.tree_leaves_with_path(single):
        found = functools.reduce(lambda tree, key: tree[key.key], path, compiled)
        difference = np.linalg.norm(found - expected)
        assert difference <= 1e-2 * np.linalg.norm(expected) + 1e-6, jax.tree_util.keystr(path)
