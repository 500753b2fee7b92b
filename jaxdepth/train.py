"""The main job: train a network on a source of frames, keep its checkpoints, and say how good it is."""

import contextlib
import functools
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

from jaxdepth import config as settings
from jaxdepth import evaluate, models, predict
from jaxdepth.data import splits
from jaxdepth.data.batches import inputs as batches
from jaxdepth.data.batches import mix, tfdata
from jaxdepth.data.frames import centre_crop
from jaxdepth.data.sources import selection
from jaxdepth.output import figures
from jaxdepth.runs import events, lineage, packed, workdir
from jaxdepth.training import gate, losses, optim, sharding, state, step
from jaxdepth.training.checkpoint import Checkpoints

PROTOCOL = evaluate.PROTOCOLS["paper"]


def train_and_evaluate(config, folder, *, title=None):
    """Train as `config` says in the workdir `folder`, going on where an earlier run in it stopped.

    Args:
      config: an ml_collections ConfigDict as `configs/kscale.py` makes it.
      folder: the workdir, for config.json, metrics.jsonl, mean_depth.npy, checkpoints/, panel.png and curves.png.
      title: what stands before the progress bar.

    Returns:
      The validation scores at the last step, {output: {metric: value}} with the baseline as output `mean_depth`; None
      where SIGTERM stopped the run before its end.

    Raises:
      ValueError, FileNotFoundError: a setting out of range, data that is missing or not as it should be, or a workdir
        that holds another run.
      FloatingPointError: a loss that is not finite.
    """
    # --------------------------------------------------------------------------------------- devices, network and data
    settings.check(config)
    mesh = sharding.make_mesh()
    replicated, batched = sharding.replicated(mesh), sharding.batched(mesh)
    sharding.check_batch_size(config.batch_size, mesh, parts=config.accumulate)
    chief = jax.process_index() == 0
    crop_size = tuple(config.data.crop_size)
    network = models.build(**config.model.to_dict())
    shapes = state.shapes(network, crop_size)
    gate.check(groups=network.groups, **config.gate.to_dict())
    splits.check_name(config.data.split)
    packed.refuse(folder)
    began_with = lineage.began_with(folder, config.initial)
    frames = selection.of_settings(config.data.to_dict(), seed=config.seed)
    of_source, of_rooms = mix.parts(config.data.mix, source=frames.name, batch_size=config.batch_size)
    if of_source:
        sharding.check_batch_size(of_source, mesh, parts=1)
    split = splits.split(config.data.split, frames.ids, lists=frames.splits)
    tfdata.check(
        frames,
        batch_size=config.batch_size,
        process_count=jax.process_count(),
        crop_size=crop_size,
        scale=config.data.augmentation.scale,
        colour=config.data.augmentation.colour,
        light=config.data.augmentation.light,
    )
    batches_by = workdir.recorded(folder, "data.batches") if config.data.batches == "auto" else None
    batches_by = batches.choose(batches_by or config.data.batches, frames, split.train, mesh=mesh)
    steps_per_epoch = max(1, len(split.train) // config.batch_size)
    steps = config.steps or config.epochs * steps_per_epoch

    # ---------------------------------------------------------------------------------------- optimizer and train gate
    gate_at = gate.schedule(groups=network.groups, steps=steps, seed=config.seed, **config.gate.to_dict())
    spans = gate.spans(config.gate.name, gate_at, network.groups, steps=steps)
    optimizer = optim.make(shapes["params"], spans=spans, **config.optim.to_dict())
    fused = network.groups[0]
    logged_in_a_row = 1 if config.gate.name == "joint" else len(network.groups)  # or one gate could be all that is seen

    # ------------------------------------------------------------------------------- workdir: a new run or an older one
    folder = pathlib.Path(folder)
    record = workdir.run_record(config.to_dict(), frames, split, batches=batches_by, began_with=began_with)
    for part in (split.train, split.val):
        if not any((frames.depths[position] > 0).any() for position in part):
            raise ValueError(f"source {frames.name!r}, split {split.name!r}: not one of {len(part)} frames has a depth")
    with contextlib.ExitStack() as stack:
        checkpoints = stack.enter_context(Checkpoints(folder / "checkpoints", keep_every=config.keep_every))
        workdir.open_run(folder, record, at_step=checkpoints.last(), chief=chief)
        mean_depth = workdir.mean_depth(folder, lambda: evaluate.mean_depth_baseline(frames, split.train))
        network = network.clone(
            mean_log_depth=evaluate.central_log_depth(mean_depth, crop_size=crop_size),
            blocked_gradient=jax.default_backend() == "cpu",
        )
        train_state = state.create(
            network,
            optimizer,
            seed=config.seed,
            crop_size=crop_size,
            sharding=replicated,
            averaged=config.ema_decay > 0,
        )
        if checkpoints.last() is not None:
            train_state = checkpoints.restore(train_state)
        elif config.initial:
            train_state = state.starting_from(train_state, predict.load(config.initial).variables)
        start = int(train_state.step)
        logging.info("workdir %s: from step %d to %d, %d steps an epoch", folder, start, steps, steps_per_epoch)

        # ------------------------------------------------------------------------------------ what the loop is made of
        predict_step = step.make_predict_step(network, sharding=replicated, mirrored=config.mirrored)
        score = evaluate.make_scorer(
            network,
            frames,
            positions=split.val,
            protocol=PROTOCOL,
            mean_depth=mean_depth,
            batch_size=config.batch_size,
            crop_size=crop_size,
            mirrored=config.mirrored,
            mesh=mesh,
        )
        inputs, draw = batches.make(
            batches_by,
            frames,
            split.train,
            mesh=mesh,
            batch_size=config.batch_size,
            rooms=of_rooms,
            sensor=config.data.sensor,
            seed=config.seed,
            start_step=start,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            crop_size=crop_size,
            **config.data.augmentation.to_dict(),
        )
        train_step = step.make_train_step(
            network,
            optimizer,
            loss=functools.partial(losses.training_loss, **config.loss.to_dict()),
            seed=config.seed,
            replicated=replicated,
            batch_sharding=batched,
            draw=draw,
            accumulate=config.accumulate,
            rematerialise=config.rematerialise,
            ema_decay=config.ema_decay,
            first_steps={group: first for group, (first, _) in spans.items()},
        )
        panel_positions = split.val[np.linspace(0, len(split.val) - 1, config.panel_frames).astype(int)]
        panel_images, panel_truth = centre_crop(
            frames.images[panel_positions], frames.depths[panel_positions], crop_size=crop_size
        )

        def by_output(*output_and_name):
            return "/".join(part for part in output_and_name if part != fused)

        def log(at, part, values):
            if chief:
                values = {f"{frames.name}/{part}/{name}": value for name, value in values.items()}
                workdir.append_metrics(folder, {"step": at, "wall_time": round(time.time(), 3), **values})
                board.scalars(at, values)

        def validate(at):
            scores, _ = score(train_state.variables)
            log(at, "val", {by_output(o, name): value for o in scores for name, value in scores[o].items()})
            outputs = predict_step(train_state.variables, np.float32(panel_images) / 255)
            if chief:
                shown = {name: np.exp(outputs[name]) for name in (*network.groups[:0:-1], fused)}
                figures.panel(
                    folder / "panel.png", panel_images, shown, truth=panel_truth, title=f"{folder}, step {at}"
                )
                figures.curves(
                    folder / "curves.png", workdir.read_metrics(folder), title=f"{folder}, split {split.name}"
                )
                board.picture(at, folder / "panel.png")
            return scores

        # -------------------------------------------------------------------------------------------------- the loop
        stop = stack.enter_context(sigterm_flag())
        board = stack.enter_context(events.events(folder, wanted=config.tensorboard and chief, from_step=start))
        bar = stack.enter_context(progress_bar(start, steps, config.batch_size, chief=chief, title=title))
        scores = None
        for at in range(start + 1, steps + 1):
            train_state, values = train_step(train_state, next(inputs), gate_at(at - 1))
            bar.update(config.batch_size)
            logs = at % config.log_every < logged_in_a_row or at == steps
            validates = at % (config.validate_every * steps_per_epoch) == 0 or at == steps
            stopping = (logs or jax.process_count() == 1) and sharding.any_process(stop.is_set())
            saves = validates or stopping or at % config.checkpoint_every == 0
            saves |= bool(config.keep_every) and at % config.keep_every == 0
            if logs or saves:
                values = {name: float(value) for name, value in jax.device_get(values).items()}
                if bad := [f"{name}={value}" for name, value in values.items() if not math.isfinite(value)]:
                    raise FloatingPointError(f"step {at}: {', '.join(bad)}; the last checkpoint is from before it")
            if logs:
                log(at, "train", {by_output(*name.split("/")[::-1]): value for name, value in values.items()})
                bar.set_postfix(step=at, loss=f"{values['total_loss']:.4f}")
            if validates:
                scores = validate(at)
                bar.write(f"step {at}: " + ", ".join(f"{o} {v['delta1']:.3f}" for o, v in scores.items()) + " (delta1)")
            if saves:
                checkpoints.save(train_state, delta1=scores[fused]["delta1"] if validates else None)
            if stopping and at < steps:
                logging.info("stopped by SIGTERM at step %d; the same command goes on from there", at)
                return None
        scores = scores or score(train_state.variables)[0]  # where nothing was left to do
    if chief:
        described = PROTOCOL.describe(frames, split, crop_size=crop_size)
        print(evaluate.report(evaluate.as_result(scores, network.groups, described, folder, int(train_state.step))))
        print(f"pictures: {folder / 'panel.png'}, {folder / 'curves.png'}")
        protocol = "full" if frames.name == "folder" else "eigen_crop"  # which is a window in NYU's frames
        print(f"next: python launch/evaluate.py --workdir={folder} --protocol={protocol}")
        print(f"      python launch/predict.py --workdir={folder} PICTURE_OR_FOLDER")
    return scores


@contextlib.contextmanager
def sigterm_flag():
    """A threading.Event that SIGTERM sets, instead of ending the process, for the time of the context."""
    asked = threading.Event()
    previous = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, previous)


def progress_bar(start, steps, batch_size, *, chief, title):
    """A bar over the images of the run, with images/s and the time left; a line every 30 s where no one looks on."""
    interval = 0.1 if sys.stderr.isatty() else 30
    total, initial = steps * batch_size, start * batch_size
    return tqdm(desc=title, total=total, initial=initial, unit="image", mininterval=interval, disable=not chief)
