"""The benchmark's networks and training step in PyTorch compute the same as ours."""

import copy
import functools

import jax
import numpy as np
import optax
import pytest
import small
from numpy_eigen import random_variables

from jaxdepth import config, models
from jaxdepth.training import gate, losses, optim, step

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install -e '.[bench]'")

from jaxdepth.benchmark import peers, pytorch_networks, pytorch_step, steps  # noqa: E402

EIGENS = dict(width=1 / 32, dropout=0.0, dtype="float32")
CASES = {
    "kscale": small.MODEL | {"k": 2},
    "kscale_maps": small.MODEL | {"features": False, "finest_stride": 1, "k": 2},
    "kscale_up": small.MODEL | {"upscaling": "up_convolution", "finest_stride": 4, "k": 2},
    "kscale_up_maps": small.MODEL | {"upscaling": "up_convolution", "features": False},
    "eigen": dict(name="eigen", local_response_normalisation=False, **EIGENS),
    "eigen_normalised": dict(name="eigen", local_response_normalisation=True, **EIGENS),
    "autoencoder": dict(name="autoencoder", **EIGENS),
    "residual_coarse": dict(name="residual_coarse", **EIGENS),
}
STOPPED = ("kscale", "eigen")
SETTINGS = dict(
    learning_rate=1e-2, rules=((".*", 1.0, 1.0, "constant"),), warmup_steps=0, weight_decay=0.1, clip_norm=1.0
)
LAM = 0.3


@pytest.fixture(autouse=True)
def one_thread():
    """More threads would wait for one another: the arrays are small, and tests run in parallel."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@functools.cache
def random_case(name):
    """Our network and its variables, PyTorch's with the same variables, and a batch."""
    size = (19, 27) if name.startswith("kscale") else (100, 132)  # to be padded; odd after two halvings
    net, peer = models.build(**CASES[name]), pytorch_networks.build(**without_dtype(CASES[name]), size=size)
    variables = random_variables(net, size)
    pytorch_networks.load(peer, variables)
    return net, variables, peer, small.batch(3, size=size)


def without_dtype(arguments):
    return {name: value for name, value in arguments.items() if name != "dtype"}


def as_torch(batch):
    return torch.from_numpy(batch["image"]).permute(0, 3, 1, 2), torch.from_numpy(batch["depth"])


def as_peers(peer, params, batch_stats):
    """Our arrays in PyTorch's layout, by our names."""
    loaded = copy.deepcopy(peer)
    pytorch_networks.load(loaded, {"params": params, "batch_stats": batch_stats})
    return values(loaded)


def values(peer):
    return {name: tensor.detach().numpy().copy() for name, (_, tensor) in pytorch_networks.named_tensors(peer).items()}


@pytest.mark.parametrize("name", CASES)
def test_every_output_equals_ours(name):
    net, variables, peer, batch = random_case(name)
    _, expected = jax.jit(net.apply)(variables, batch["image"])
    image, _ = as_torch(batch)
    with torch.inference_mode():
        outputs = copy.deepcopy(peer).eval()(image)
        channels_last = copy.deepcopy(peer).eval().to(memory_format=torch.channels_last)
        again = channels_last(image.contiguous(memory_format=torch.channels_last))
    assert peer.groups == net.groups and set(outputs) == set(net.groups)
    for group in net.groups:
        assert np.std(expected[group]) > 0.1
        np.testing.assert_allclose(outputs[group], expected[group], rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(again[group], expected[group], rtol=1e-5, atol=1e-4)


@functools.cache
def our_gradients(name):
    """A function params -> ((loss, new statistics), gradients) of all outputs together, in training mode."""
    net, variables, _, batch = random_case(name)
    at = gate.joint(net.groups, (1.0,) * len(net.groups), stop_gradient=name in STOPPED)

    def loss(params):
        changed = {"batch_stats": {}, **variables, "params": params}
        lam = functools.partial(losses.scale_invariant, lam=LAM)
        values, statistics = step.gate_losses(net, changed, batch, at, loss=lam, key=jax.random.key(0))
        return sum(values.values()), statistics

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


@pytest.mark.parametrize("name", ["kscale", "kscale_up_maps", "eigen", "autoencoder", "residual_coarse"])
def test_loss_and_gradients_equal_ours(name):
    _, variables, peer, batch = random_case(name)
    peer = copy.deepcopy(peer)
    (expected, statistics), gradients = our_gradients(name)(variables["params"])
    settings = SETTINGS | dict(name="sgd", learning_rate=0.0, clip_norm=1e9)
    arguments = dict(optimizer_settings=settings, gate=0, stop_gradient=name in STOPPED, lam=LAM)
    loss = pytorch_step.make_train_step(peer, **arguments)(*as_torch(batch))
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    gradients = as_peers(peer, gradients, statistics)
    for leaf, (_, tensor) in pytorch_networks.named_tensors(peer).items():
        if leaf.endswith("/mean"):
            np.testing.assert_allclose(tensor, gradients[leaf], rtol=1e-4, atol=1e-4)
        elif not leaf.endswith("/var"):  # PyTorch divides by the batch size less one
            difference, length = (np.linalg.norm(x) for x in (tensor.grad.numpy() - gradients[leaf], gradients[leaf]))
            assert difference < 1e-2 * length, leaf  # mostly 1e-5, unless rounding changes the sign at a ReLU


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_steps_change_the_parameters_like_ours(optimizer):
    """Three steps with two rules and weight decay, and with clipped gradients in both groups."""
    net, variables, peer, batch = random_case("eigen")
    peer, params = copy.deepcopy(peer), variables["params"]
    rules = ((r"fine/conv\d/.*", 1.0, 1.0, "constant"), ("coarse/.*", 0.5, 2.0, "constant"))
    settings = SETTINGS | dict(name=optimizer, rules=rules, clip_norm=0.1)
    ours = optim.make(params, spans=dict.fromkeys(net.groups, (0, 3)), **settings)
    opt_state = ours.init(params)

    @jax.jit
    def update(gradients, opt_state, params, step):
        updates, opt_state = ours.update(gradients, opt_state, params, step=step)
        return optax.apply_updates(params, updates), opt_state

    peer_step = pytorch_step.make_train_step(peer, optimizer_settings=settings, gate=0, stop_gradient=True, lam=LAM)
    before = values(peer)
    for at in range(3):
        (expected, _), gradients = our_gradients("eigen")(params)
        assert all(np.sqrt(sum(np.sum(x**2) for x in jax.tree.leaves(gradients[group]))) > 0.1 for group in net.groups)
        params, opt_state = update(gradients, opt_state, params, at)
        np.testing.assert_allclose(peer_step(*as_torch(batch)), expected, rtol=1e-4)
    expected, after = as_peers(peer, params, {}), values(peer)
    for name in before:
        moved = np.abs(expected[name] - before[name]).mean()
        assert np.abs(after[name] - expected[name]).mean() < 1e-2 * moved, name


@pytest.mark.parametrize("name", ["kscale_up", "eigen", "autoencoder", "residual_coarse"])
def test_a_gate_computes_and_changes_only_its_group(name):
    _, _, peer, batch = random_case(name)
    image, depth = as_torch(batch)
    settings = SETTINGS | dict(name="adamw")
    for number, group in enumerate(peer.groups[1:], start=1):
        network = copy.deepcopy(peer).eval()
        with torch.inference_mode():
            expected = network(image)[group]
            for other in set(network.groups) - {group}:
                getattr(network, other).forward = None  # a call would fail
            outputs = network(image, gate=number)
        assert set(outputs) == {group}
        torch.testing.assert_close(outputs[group], expected)
        before = values(network)
        pytorch_step.make_train_step(network, optimizer_settings=settings, gate=number, stop_gradient=True, lam=0.5)(
            image, depth
        )
        after = values(network)
        changed = {leaf.split("/")[0] for leaf in before if not np.array_equal(before[leaf], after[leaf])}
        assert changed == {group}


@pytest.mark.parametrize("name", pytorch_networks.NETWORKS)
def test_training_lowers_the_loss(name):
    """With the settings of the network's own config, from PyTorch's initial values."""
    settings = config.load(small.CONFIGS / f"{name}.py")
    changes = dict(width=4, max_width=8) if name == "kscale" else dict(width=1 / 16)
    arguments = without_dtype(settings.model.to_dict() | changes)
    torch.manual_seed(0)
    network = pytorch_networks.build(**arguments, size=small.EIGENS_SIZE, mean_log_depth=0.2)
    image, depth = as_torch(small.batch(4, size=small.EIGENS_SIZE))
    with torch.inference_mode():
        for output in network.eval()(image).values():
            assert (output.mean() - 0.2).abs() < 0.1
    arguments = dict(optimizer_settings=settings.optim.to_dict(), gate=0, stop_gradient=settings.gate.stop_gradient)
    train_step = pytorch_step.make_train_step(network, **arguments, lam=0.5)
    losses = [float(train_step(image, depth)) for _ in range(20)]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch's compiler
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_measured_functions_train_and_predict(dtype):
    """All but the compiled ones, whose compilation takes minutes."""
    config = small.settings(None, **{"batch_size": 2, "model.dtype": dtype})
    functions_of = peers.build(config, *steps.noise(config))
    assert [name.split(", ", 1)[1] for name in functions_of] == [
        "contiguous",
        "channels last",
        "channels last, compiled",
    ]
    for functions in list(functions_of.values())[:2]:
        for function in functions.values():
            function()


def test_networks_gates_and_variables_are_checked():
    with pytest.raises(ValueError, match="network 'resnet': expected one of kscale, eigen"):
        pytorch_networks.build("resnet", size=small.SIZE)
    _, variables, peer, batch = random_case("eigen")
    for at in (-1, 2):
        with pytest.raises(ValueError, match=f"gate={at}: expected 0 to 1"):
            peer(as_torch(batch)[0], gate=at)
    with pytest.raises(ValueError, match="'coarse/conv1/bias' is in one network only"):
        pytorch_networks.load(peer, {"params": {"fine": variables["params"]["fine"]}})
