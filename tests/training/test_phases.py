"""Two-phase training of Eigen's family: a frozen coarse part, and kills inside and between the phases."""

import signal

import fake_nyu
import jax
import pytest
import small

from jaxdepth import config, train
from jaxdepth.runs import metrics_log, workdir
from jaxdepth.runs.record import RunRecord
from jaxdepth.training import checkpoint, gate

STEPS, FIRST = 10, 6  # phases 2 : 1.5, as published


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        ("eigen", "sgd"),
        ("residual_coarse", "adamw"),
        pytest.param("eigen", "adamw", marks=pytest.mark.slow),
        pytest.param("residual_coarse", "sgd", marks=pytest.mark.slow),
        ("autoencoder", "adamw"),
        pytest.param("autoencoder", "sgd", marks=pytest.mark.slow),
    ],
)
def test_each_phase_changes_its_group_and_no_bit_of_the_other(name, optimizer):
    net = small.eigens(name)
    rules = ((".*", 1.0, 1.0, "constant"),)
    state, train_step, _ = small.trainer(net, rules=rules, optimizer=optimizer, size=small.EIGENS_SIZE)
    at = gate.schedule("coarse_to_fine", net.groups, steps=STEPS, seed=0, weights=(1.5, 2.0), stop_gradient=True)
    second = net.groups[0]
    assert [at(i).trained for i in range(STEPS)] == [("coarse",)] * FIRST + [(second,)] * (STEPS - FIRST)

    def parts(group):
        return small.bits([getattr(state, part).get(group) for part in ("params", "batch_stats", "opt_state")])

    for i in (4, 5, 6, 7):
        before = {group: parts(group) for group in net.groups}
        state, _ = train_step(state, small.batch(4, seed=i, size=small.EIGENS_SIZE), at(i))
        for group in net.groups:
            assert (parts(group) == before[group]) == (group not in at(i).trained), (i, group)


def test_dropout_is_a_function_of_the_seed_and_the_step_and_absent_in_a_frozen_part():
    net = small.eigens("eigen")
    coarse, fine = (gate.single(i, net.groups, stop_gradient=True) for i in (1, 0))
    rules = ((".*", 1.0, 1.0, "constant"),)
    batch = small.batch(4, size=small.EIGENS_SIZE)

    def losses(selected, at_step):
        state, train_step, _ = small.shared_trainer(net, rules=rules, size=small.EIGENS_SIZE)
        state = state.replace(step=jax.numpy.int32(at_step), params=jax.tree.map(lambda x: 3 * x, state.params))
        return float(train_step(state, batch, selected)[1]["total_loss"])

    assert losses(coarse, 3) == losses(coarse, 3)
    assert losses(coarse, 3) != losses(coarse, 4)
    assert losses(fine, 3) == losses(fine, 4)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    with fake_nyu.dev_folder(tmp_path_factory.mktemp("data"), train=9, val=3) as folder:
        yield small.settings(folder, name="eigen", steps=STEPS)


@pytest.fixture(scope="module")
def unbroken(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    train.train_and_evaluate(settings, folder)
    return small.final(settings, folder)


@pytest.mark.slow
def test_stopped_after_the_first_phase_and_continued_equals_unbroken(settings, unbroken, tmp_path, monkeypatch):
    """A Ctrl-C just after the checkpoint of the first phase's last step."""
    append = metrics_log.append

    def interrupt(folder, record):
        if record["step"] == FIRST + 1:
            raise KeyboardInterrupt
        append(folder, record)

    monkeypatch.setattr(metrics_log, "append", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train.train_and_evaluate(settings, tmp_path)
    monkeypatch.undo()
    assert checkpoint.steps(tmp_path / "checkpoints")[-1] == FIRST
    train.train_and_evaluate(settings, tmp_path)
    assert small.final(settings, tmp_path) == unbroken


def test_another_length_is_refused_where_it_would_move_the_phases(settings, tmp_path):
    run = RunRecord(settings.to_dict())
    longer = RunRecord(settings.to_dict() | {"steps": 2 * STEPS})
    with pytest.raises(ValueError, match="config.steps: 10 there, 20 now"):
        workdir.check_same_run(run, longer, where=tmp_path)


def test_the_autoencoders_phases_freeze_its_coarse_part():
    settings = config.load(small.CONFIGS / "autoencoder.py", "phases")
    groups = small.eigens("autoencoder").groups
    at = gate.schedule(groups=groups, steps=10, seed=0, **settings.gate.to_dict())
    assert [at(step).trained for step in (0, 4, 5, 9)] == [("coarse",)] * 2 + [("autoencoder",)] * 2


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, FIRST, 8])
def test_killed_inside_or_between_the_phases_and_continued_equals_unbroken(settings, unbroken, tmp_path, step):
    process = small.start(settings, tmp_path)
    small.wait_for_step(process, tmp_path, step)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    train.train_and_evaluate(settings, tmp_path)
    assert small.final(settings, tmp_path) == unbroken
