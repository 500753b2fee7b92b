"""The main job: trains a network on a source of frames, keeps its checkpoints, and says how good it is."""

import contextlib
import dataclasses
import math
import pathlib
import signal
import sys
import threading
import time

import jax
import numpy as np
from absl import logging
from tqdm import tqdm

from jaxdepth import advice
from jaxdepth import config as settings
from jaxdepth.data import splits
from jaxdepth.data.batches import inputs, mix
from jaxdepth.data.sources import selection
from jaxdepth.errors import DivergedError
from jaxdepth.evaluation import mean_depth, protocols, report, scorer
from jaxdepth.geometry.camera import nyu_intrinsics
from jaxdepth.geometry.framing import centre_crop, frames_focal_ratio
from jaxdepth.output import figures
from jaxdepth.runs import events, lineage, lock, metrics_log, packed, trained, workdir
from jaxdepth.runs.record import RunRecord
from jaxdepth.training import checkpoint, growth, setup, sharding, state
from jaxdepth.training.skipped import SkippedSteps

PROTOCOL = protocols.PROTOCOLS["paper"]
CHECKPOINTS = "checkpoints"
_LEAST_SPREAD = 0.01  # of the mean log depths of validation pictures


def train_and_evaluate(config, folder, *, title=None):
    """Trains a network in a workdir, continuing an earlier run in it.

    Args:
      config: an ml_collections ConfigDict, such as `configs/kscale.py` makes.
      folder: the workdir, for config.json, metrics.jsonl, mean_depth.npy, checkpoints/, panel.png and curves.png.
      title: text in front of the progress bar.

    Returns:
      The validation scores at the last step, {output: {metric: value}}, with the baseline as output `mean_depth`; None
      if SIGTERM or Ctrl-C stopped the run before its end.

    Raises:
      InputError: for a setting out of range, data that is not as it should be, or a workdir with another run, with
        damaged checkpoints only, or in which another process is training.
      OSError: for missing data, or a file that cannot be written.
      DivergedError: if `max_skipped_steps` steps in a row had a loss, gradient or update that was not finite, or the
        validation scores are not.
    """
    # Settings, checked before data is read.
    folder = pathlib.Path(folder)
    settings.rename_old(config)
    settings.check(config)
    splits.check_name(config.data.split)
    selection.refuse_test_set(config.data.source)
    packed.refuse(folder)
    workdir.refuse_foreign(folder)
    began_with = lineage.of_init(folder, config.init_from)
    mesh = sharding.make_mesh(model_parallel=config.model_parallel)
    network = setup.build_network(config, mesh)

    # Frames and their split.
    frames = selection.open_frames(**settings.source_arguments(config))
    split = splits.split(config.data.split, frames.ids, lists=frames.splits)
    batch_settings = dict(crop_size=tuple(config.data.crop_size), **config.data.augmentation.to_dict())
    inputs.check(frames, batch_size=config.batch_size, process_count=jax.process_count(), **batch_settings)
    frames_per_batch, rooms_per_batch = mix.counts(config.data.mix, source=frames.name, batch_size=config.batch_size)
    if frames_per_batch:
        sharding.check_batch_size(frames_per_batch, mesh)
    pipeline = workdir.recorded_pipeline(folder) if config.data.batches == "auto" else None
    pipeline = inputs.choose_pipeline(pipeline or config.data.batches, frames, split.train, mesh=mesh)
    splits.check_depths(
        lambda index: (frames.depths[index] > 0).any(), split, source=frames.name, max_depth=frames.max_depth
    )

    # How the network learns, and how long.
    steps_per_epoch = max(1, len(split.train) // config.batch_size)
    steps = config.steps or config.epochs * steps_per_epoch
    training = setup.make(config, network, mesh, steps=steps)
    is_logged = _log_rule(config, network)

    with contextlib.ExitStack() as stack:
        # Workdir and state: a new run or an old one.
        run = _record(config, frames, split, pipeline=pipeline, began_with=began_with)
        run.to_json()  # refuses in every process what could not be read later
        note_saved = stack.enter_context(lock.one_writer(folder))
        run = workdir.begin_or_continue(folder, run, checkpoint_steps=checkpoint.steps(folder / CHECKPOINTS))
        train_state = checkpoint.restore_last(folder / CHECKPOINTS, training.abstract_state())
        mean_depth_image = workdir.open_run(
            folder,
            run,
            at_step=None if train_state is None else int(train_state.step),
            compute_mean_depth=lambda: mean_depth.mean_depth_image(frames, split.train),
        )
        if train_state is None:
            log_depth = mean_depth.central_log_depth(mean_depth_image, crop_size=training.crop_size)
            train_state = training.create_state(log_depth)
            if config.init_from:
                train_state = state.init_from(train_state, _initial_variables(config, network, frames))
        start = int(train_state.step)
        checkpoints = stack.enter_context(
            checkpoint.Checkpoints(folder / CHECKPOINTS, keep_every=config.keep_every, note_saved=note_saved)
        )
        logging.info("workdir %s: from step %d to %d, %d steps per epoch", folder, start, steps, steps_per_epoch)

        # Batches, step and validation.
        examples = dict(pipeline=pipeline, frames=frames, indices=split.train)
        examples |= dict(batch_size=config.batch_size, rooms=rooms_per_batch, seed=config.seed)
        batches, draw = inputs.make_inputs(
            **examples,
            mesh=mesh,
            sensor=config.data.sensor,
            start_step=start,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            **batch_settings,
        )
        train_step = training.train_step(draw)
        skipped = SkippedSteps(lambda step: inputs.example_names(**examples, step=step - 1))
        score = scorer.make_scorer(
            scorer.network_outputs(network, flip_tta=config.flip_tta),
            frames,
            indices=split.val,
            protocol=PROTOCOL,
            mean_depth_image=mean_depth_image,
            batch_size=config.batch_size,
            crop_size=training.crop_size,
            mesh=mesh,
            groups=network.groups,
        )
        board = stack.enter_context(
            events.events(folder, enabled=config.tensorboard and sharding.is_main_process(), from_step=start)
        )
        run_log = _RunLog(folder, frames.name, network.groups[0], board)
        draw_pictures = _make_pictures(folder, training, frames, split, count=config.panel_frames)

        # The loop.
        stop = stack.enter_context(stop_flag())
        bar = stack.enter_context(_progress_bar(start, steps, config.batch_size, title=title))
        scores = None
        for step in range(start + 1, steps + 1):
            train_state, values = train_step(train_state, next(batches), training.gate_at(step - 1))
            skipped.add(step, values.pop("is_finite"))
            bar.update(config.batch_size)

            is_last = step == steps
            logs = is_last or is_logged(step)
            validates = is_last or step % (config.validate_every * steps_per_epoch) == 0
            stops = (logs or jax.process_count() == 1) and sharding.any_process(stop.is_set())
            saves = validates or stops or step % config.checkpoint_every == 0
            saves = saves or bool(config.keep_every and step % config.keep_every == 0)
            if logs or saves:
                skipped.settle()
                logs = logs or skipped.count > 0  # no checkpoint without the log of what was skipped before it
                if skipped.longest >= config.max_skipped_steps:
                    raise _diverged(step, skipped.in_a_row, checkpoints)
            if logs:
                values = {name: float(value) for name, value in jax.device_get(values).items()}
                run_log.training(step, values | {"skipped_steps": skipped.take_count()})
                bar.set_postfix(step=step, loss=f"{values['total_loss']:.4f}")
            if validates:
                per_frame = score(train_state.variables)
                scores = report.metrics(per_frame)
                if not all(math.isfinite(x) for metrics in scores.values() for x in metrics.values()):
                    raise _diverged(step, skipped.in_a_row, checkpoints)
                if step >= max(500, steps_per_epoch) and config.model.name != "mean_depth":
                    _warn_if_constant(per_frame[network.groups[0]]["mean_log_depth"])
                run_log.validation(step, scores)
                run_log.pictures(step, draw_pictures(train_state.variables, step))
                bar.write(
                    f"step {step}: " + ", ".join(f"{o} {v['delta1']:.3f}" for o, v in scores.items()) + " (delta1)"
                )
            if saves and (is_last or stops or not skipped.in_a_row):  # a state that has just diverged is not kept
                checkpoints.save(train_state, delta1=scores[network.groups[0]]["delta1"] if validates else None)
            if stops and not is_last:
                logging.info("stopped at step %d; the same command continues", step)
                return None
        if scores is None:  # the run was complete
            per_frame = score(train_state.variables)
            scores = report.metrics(per_frame)

    # Report.
    if sharding.is_main_process():
        protocol = PROTOCOL.describe(frames, split, crop_size=training.crop_size)
        step = int(train_state.step)
        protocol["network_input"] = protocols.network_input(frames.size, crop_size=training.crop_size)
        judged = {"checkpoint": {"workdir": str(folder), "step": step}}
        result = report.result(per_frame, network.groups, protocol, judged=judged)
        print(report.text(result))
        print(f"pictures: {folder / 'panel.png'}, {folder / 'curves.png'}")
        protocol = "full" if frames.name == "folder" else "eigen_crop"  # a window in NYU's frames
        print(f"next: {advice.command('evaluate', f'--workdir={folder}', f'--protocol={protocol}')}")
        print(f"      {advice.command('predict', f'--workdir={folder}', 'PICTURE_OR_FOLDER')}")
    return scores


def _initial_variables(config, network, frames):
    """The variables of the run in `init_from`, by the names of `network`, which may have grown from its.

    A camera with a longer focal length than that run's starts with depths that are as much larger.
    """
    run, crop_size = trained.read(config.init_from), tuple(config.data.crop_size)
    there = dict(source=run.network, source_size=run.run.crop_size)
    variables = growth.grown(run.variables, **there, network=network, size=crop_size)
    camera = frames.intrinsics or nyu_intrinsics(frames.size)
    ratio = frames_focal_ratio(frames.size, camera, run.framing)
    return state.scale_depth(network, variables, ratio, crop_size=crop_size)


def _log_rule(config, network):
    """A function step -> whether it is logged.

    Every `log_every`-th step is. If each step trains the output of one gate, so are the steps after it, as many as
    there are gates: otherwise the log might show one gate only.
    """
    in_a_row = 1 if config.gate.name == "joint" else len(network.groups)
    return lambda step: step % config.log_every < in_a_row


def _record(config, frames, split, *, pipeline, began_with):
    """The RunRecord of a new run, in which `auto` is replaced by what was chosen."""
    chosen = config.copy_and_resolve_references()
    chosen.data.update(source=frames.name, split=split.name, batches=pipeline)
    return RunRecord(
        config=chosen.to_dict(),
        split_hash=split.hash,
        train_frames=len(split.train),
        val_frames=len(split.val),
        mean_depth_frames=len(mean_depth.sample(split.train)),
        masked=dict(frames.counts),
        intrinsics=frames.intrinsics,
        scenes=lineage.scenes(frames, split.train),
        began_with=began_with,
    )


def _diverged(step, skipped_in_a_row, checkpoints):
    """The error that ends a diverged run. A newest checkpoint after which no step could be taken is set aside."""
    newest = checkpoints.newest
    if newest is not None and newest + skipped_in_a_row >= step:
        logging.warning("no step could be taken after checkpoint %d, which is now diverged-%d", newest, newest)
        checkpoints.set_newest_aside(why="diverged")
    what = f"{skipped_in_a_row} steps in a row" if skipped_in_a_row else "the validation scores"
    good = "there is no good checkpoint"
    if checkpoints.newest is not None:
        origin = f"--config.init_from={checkpoints.folder.parent}"
        good = f"the last good checkpoint is of step {checkpoints.newest} (to go on from it: {origin})"
    return DivergedError(
        f"step {step}: {what} had a loss, gradient or update that is not finite; {good}. Try a lower "
        "config.optim.learning_rate or config.optim.clip_norm in a new --workdir"
    )


def _warn_if_constant(mean_log_depths):
    """Tells if a network has collapsed: its pictures' mean log depths float [n] hardly differ."""
    if len(mean_log_depths) > 1 and (spread := float(np.std(mean_log_depths))) < _LEAST_SPREAD:
        logging.warning(
            "the network gives nearly the same depth for each of %d validation pictures (the standard deviation of "
            "their mean log depths is %.2g): it does not learn; try a lower config.optim.learning_rate",
            *(len(mean_log_depths), spread),
        )


@dataclasses.dataclass(frozen=True)
class _RunLog:
    """Writes a run's metrics.jsonl and TensorBoard events, in the main process only.

    Metrics are called SOURCE/train/METRIC and SOURCE/val/METRIC, with OUTPUT/ before METRIC for outputs but the final
    one.
    """

    folder: pathlib.Path
    source: str
    final_output: str
    board: events.Events

    def training(self, step, values):
        """Logs a step's metrics, which are called METRIC or METRIC/OUTPUT."""
        metrics = {}
        for name, value in values.items():
            metric, _, output = name.partition("/")
            metrics[self._name(output, metric)] = value
        self._write(step, "train", metrics)

    def validation(self, step, scores):
        """Logs scores, {output: {metric: value}}."""
        self._write(
            step, "val", {self._name(o, metric): v for o, values in scores.items() for metric, v in values.items()}
        )

    def pictures(self, step, paths):
        """Logs picture files."""
        for path in paths:
            self.board.picture(step, path)

    def _name(self, output, metric):
        return metric if output in ("", self.final_output) else f"{output}/{metric}"

    def _write(self, step, part, values):
        if not sharding.is_main_process():
            return
        values = {f"{self.source}/{part}/{name}": value for name, value in values.items() if math.isfinite(value)}
        metrics_log.append(self.folder, {"step": step, "wall_time": round(time.time(), 3), **values})
        self.board.scalars(step, values)


def _make_pictures(folder, training, frames, split, *, count):
    """A function (variables, step) -> picture files: draws panel.png, of `count` validation frames, and curves.png."""
    indices = split.val[np.linspace(0, len(split.val) - 1, count).astype(int)]
    images, truth = centre_crop(frames.images[indices], frames.depths[indices], crop_size=training.crop_size)
    predict_step = training.predict_step()
    final, *others = training.network.groups

    def draw(variables, step):
        outputs = predict_step(variables, np.float32(images) / 255)
        if not sharding.is_main_process():
            return []
        columns = {name: np.exp(outputs[name]) for name in (*others[::-1], final)}
        panel, curves = folder / "panel.png", folder / "curves.png"
        figures.panel(panel, images, columns, truth=truth, title=f"{folder}, step {step}")
        figures.curves(curves, metrics_log.read(folder), title=f"{folder}, split {split.name}")
        return [panel]

    return draw


@contextlib.contextmanager
def stop_flag():
    """A threading.Event that SIGTERM and Ctrl-C set while the context lasts; a second Ctrl-C ends the process."""
    requested = threading.Event()

    def request(number, _):
        requested.set()
        if number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)

    previous = {number: signal.signal(number, request) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield requested
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _progress_bar(start, steps, batch_size, *, title):
    """A bar with images/s and the time left; if the output is not a terminal, a line every 30 s."""
    interval = 0.1 if sys.stderr.isatty() else 30
    total, initial = steps * batch_size, start * batch_size
    hidden = not sharding.is_main_process()
    return tqdm(desc=title, total=total, initial=initial, unit="image", mininterval=interval, disable=hidden)
