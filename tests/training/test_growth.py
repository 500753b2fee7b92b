"""Growth: the scales of a smaller network in a larger one, and trainings that only the new scales take part in."""

import fake_nyu
import jax
import numpy as np
import pytest
import small

from jaxdepth import config, models, train
from jaxdepth.benchmark import networks
from jaxdepth.errors import InputError
from jaxdepth.models.layers import double, halve
from jaxdepth.runs import packed, trained
from jaxdepth.runs.record import RunRecord
from jaxdepth.training import gate, growth, setup, sharding, state

PYRAMID = dict(name="pyramid", dropout=0.1, dtype="float32", own_blocks=1, max_width=8)
SMALLER = PYRAMID | dict(grown=0, halvings=0, finest_stride=4, k=2, width=8, blocks=(1, 1), own_width=8)
GROWN = SMALLER | dict(k=3, width=4, blocks=(1, 1, 1), own_width=4, grown=1, halvings=1)
FINER = PYRAMID | dict(k=4, width=2, blocks=(0, 1, 1, 1), own_width=2, grown=2, halvings=1, finest_stride=2)
TWICE = PYRAMID | dict(k=4, width=2, blocks=(0, 1, 1, 1), own_width=2, grown=2, halvings=2)
LARGER = (64, 96)  # twice small.SIZE
NEW_ALONE = {"gate.weights": (1.0, 1.0, 0.0, 0.0), "gate.stop_gradient": True}


def random_variables(network, size, seed=1):
    """Variables of a network as if it was trained: random everywhere, so that no layer is the identity."""
    shapes, rng = state.shapes(network, size), np.random.default_rng(seed)
    fresh = jax.tree.map(lambda x: np.float32(rng.uniform(0.1, 0.3, x.shape)), shapes)
    return jax.tree.map(lambda x: x * np.float32(rng.choice([-1, 1], x.shape)) if x.ndim > 1 else x, fresh)


def grow(variables, source, network, *, size=small.SIZE, into_size=LARGER):
    """A fresh state of `network` that takes over the variables, as `train` does it."""
    fresh, _, _ = small.trainer(network, size=into_size, rules=((".*", 1.0, 1.0, "constant"),))
    renamed = growth.grown(variables, source=source, source_size=size, network=network, size=into_size)
    return state.init_from(fresh, renamed)


@pytest.mark.parametrize(("settings", "doublings"), [(GROWN, 1), pytest.param(FINER, 2, marks=pytest.mark.slow)])
def test_growth_starts_with_the_depth_of_the_smaller_network(settings, doublings):
    """Every output of the larger picture is that of the picture halved; the new ones add nothing yet."""
    source, network = models.build(**SMALLER), models.build(**settings)
    variables = random_variables(source, small.SIZE)
    image = jax.random.uniform(jax.random.key(1), (2, *LARGER, 3))
    _, before = jax.jit(source.apply)(variables, halve(image))
    _, after = jax.jit(network.apply)(grow(variables, source, network).variables, image)
    coarsest, finest = f"scale{network.k}/map", f"scale{1 + network.grown}/map"
    np.testing.assert_allclose(after[coarsest], before["scale2/map"], atol=1e-5)
    np.testing.assert_allclose(after[finest], before["fusion/map"], atol=1e-5)
    depth = before["fusion/map"]
    assert float(np.abs(depth - before["scale1/map"]).max()) > 1e-3  # the smaller network's fusion is not lost
    for _ in range(doublings):
        depth = double(depth)
    for group in ("scale1", "fusion"):
        np.testing.assert_allclose(after[f"{group}/map"], depth, atol=1e-5)


@pytest.mark.slow
def test_a_grown_network_grows_again():
    source, network = models.build(**GROWN), models.build(**TWICE)
    variables = random_variables(source, LARGER)
    size = tuple(2 * n for n in LARGER)
    image = jax.random.uniform(jax.random.key(1), (1, *size, 3))
    _, before = jax.jit(source.apply)(variables, halve(image))
    state = grow(variables, source, network, size=LARGER, into_size=size)
    _, after = jax.jit(network.apply)(state.variables, image)
    np.testing.assert_allclose(after["fusion/map"], double(before["fusion/map"]), atol=1e-4)


@pytest.mark.slow
def test_the_scales_of_kscale_keep_their_distance_from_the_coarsest():
    source, network = small.network(k=2, width=8, blocks=(1, 2)), small.network(k=3, width=4)
    variables = random_variables(source, small.SIZE)
    grown = grow(variables, source, network).params
    for new, old in (("scale3", "scale2"), ("scale2", "scale1")):
        assert small.bits(grown[new]) == small.bits(variables["params"][old])
    image = jax.random.uniform(jax.random.key(1), (1, *LARGER, 3))
    _, before = source.apply(variables, halve(image))
    fresh = grow(variables, source, network)
    _, after = network.apply(fresh.variables, image)
    np.testing.assert_allclose(after["scale3/block2"], before["scale2/block2"], atol=1e-5)


@pytest.mark.parametrize(
    ("smaller", "larger", "into_size", "message"),
    [
        (
            SMALLER | {"width": 4},
            GROWN,
            LARGER,
            r"scale3/stage1_block1/norm1/mean is \(8,\) in .* of 3 scales, .*/scale2/.* is \(4,\) in that .* of 2",
        ),
        (GROWN, SMALLER, LARGER, r"batch_stats/scale0/.* is missing in .* of 2 scales, .*/scale1/"),
        (SMALLER, GROWN | {"blocks": (1, 1, 2)}, LARGER, r"scale3/stage2_block2/norm1/mean is \(8,\) in .*missing in"),
        (SMALLER, GROWN, small.SIZE, r"params/scale3/place is \(2, 3, 8\) .*, params/scale2/place is \(4, 6, 8\)"),
        (SMALLER, GROWN, (60, 90), r"config.data.crop_size=\(60, 90\): expected \(64, 96\), so that .* \(32, 48\)"),
    ],
    ids=["other widths", "more scales", "more blocks", "another size", "nearly another size"],
)
def test_a_network_that_does_not_fit_is_named(smaller, larger, into_size, message):
    source, network = models.build(**smaller), models.build(**larger)
    variables = random_variables(source, small.SIZE)
    with pytest.raises(InputError, match=message) as error:
        growth.grown(variables, source=source, source_size=small.SIZE, network=network, size=into_size)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_step_of_new_scales_costs_what_they_cost_and_a_look_through_the_others():
    made = settings("", GROWN, size=LARGER, batch_size=1, **NEW_ALONE)
    mesh = sharding.make_mesh(jax.devices()[:1])
    network = setup.build_network(made, mesh)
    training = setup.make(made, network, mesh, steps=10)
    batch = small.batch(1, size=LARGER)
    every = gate.joint(network.groups, (1.0,) * len(network.groups), stop_gradient=False)

    def step_cost(selected):
        return networks.multiply_adds(
            lambda s, b: training.train_step()(s, b, selected), training.abstract_state(), batch
        )

    variables = state.shapes(network, LARGER)
    forward, frozen = (networks.multiply_adds(network_at(network, k), variables, batch["image"]) for k in (0, 2))
    new, alone = forward - frozen, step_cost(training.gate_at(0))
    assert frozen + 2 * new < alone < frozen + 3.1 * new  # forward, and twice backward; less where no gradient goes
    assert alone < 0.8 * step_cost(every)


def network_at(network, k):
    """The forward pass of one gate."""
    return lambda variables, image: network.apply(variables, image, gate=k)[0]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a small file in NYU's layout, and a cache folder."""
    with fake_nyu.dev_folder(tmp_path_factory.mktemp("data"), train=8, val=2) as folder:
        yield folder


def settings(data, network, *, size, **changes):
    """A pyramid's training."""
    made = config.load(small.CONFIGS / "grown.py")
    model = {f"model.{name}": value for name, value in network.items()}
    common = {"batch_size": 4, "log_every": 1, "checkpoint_every": 3, "validate_every": 9, "panel_frames": 1}
    common |= {
        "flip_tta": False,
        "data.path": str(data),
        "data.frame_size": size,
        "data.crop_size": size,
        "optim.warmup_steps": 2,
    }
    made.update_from_flattened_dict(model | common | changes)
    return made


@pytest.mark.slow
def test_new_scales_learn_alone_and_a_killed_growth_continues_bit_for_bit(data, tmp_path):
    """The gate: both new outputs' losses, stopped where they meet the smaller network's scales."""
    run = RunRecord(settings(data, SMALLER, size=small.SIZE).to_dict())
    variables = small.fresh(models.build(**SMALLER))
    packed.write(tmp_path / "first", variables, step=1, run=run, mean_depth=np.full(small.SIZE, 2.5, np.float32))
    grown = settings(data, GROWN, size=LARGER, steps=7, init_from=str(tmp_path / "first"), **NEW_ALONE)
    train.train_and_evaluate(grown, tmp_path / "unbroken")

    process = small.start(grown, tmp_path / "killed", config="grown")
    small.wait_for_step(process, tmp_path / "killed", 4)
    process.kill()
    process.communicate()
    train.train_and_evaluate(grown, tmp_path / "killed")
    assert small.final(grown, tmp_path / "killed") == small.final(grown, tmp_path / "unbroken")

    before, after = (trained.read(tmp_path / name).variables for name in ("first", "unbroken"))
    for collection in ("params", "batch_stats"):
        new, old = after[collection], before[collection]
        assert small.bits(new["scale3"]) == small.bits(old["scale2"])
        assert small.bits(new["scale2"]) == small.bits(old["scale1"] | {"fusion": old["fusion"]})
    assert all(np.abs(after["params"][group]["depth"]["kernel"]).max() > 0 for group in ("scale1", "fusion"))
