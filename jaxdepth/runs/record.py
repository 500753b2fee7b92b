"""The record of a run, config.json: its settings, and the frames that it was trained on.

Records of earlier versions are upgraded when they are read, so that nothing else needs to know what they lack.
"""

import dataclasses
import json
import pathlib
from typing import Any

from jaxdepth import models
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.runs import expected, upgrade

NAME = "config.json"
_FORMAT = 2


@dataclasses.dataclass(frozen=True)
class TrainedOn:
    """The frames of one training.

    Attributes:
      source: name of the source.
      split: name of the split.
      split_hash: hash of its frame list; None if it was not recorded.
      mix: weights of endless rooms in each batch, "" for none.
      depth: "filled" or "raw".
      seed: of rooms, which says with `train_frames` which ones those were; None for other sources.
      train_frames: number of rooms; None for other sources.
      scenes: names of NYU's scenes that the frames are of; empty if they are not known.
    """

    source: str
    split: str
    split_hash: str | None = None
    mix: str = ""
    depth: str = "filled"
    seed: int | None = None
    train_frames: int | None = None
    scenes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """What is kept of a run beside its checkpoints.

    Attributes:
      config: all settings, nested, with `auto` replaced by what was chosen. For the top level and for comparisons.
      split_hash: hash of the frame list.
      train_frames: number of frames to train on.
      val_frames: number of frames to validate on.
      mean_depth_frames: number of frames that the mean depth image was computed from.
      masked: counts of invalid depths, see `data.frames.Frames`.
      intrinsics: camera of the frames, in their pixels; None if unknown.
      scenes: see `TrainedOn`.
      began_with: the trainings behind the weights that the run started from, first to last.
    """

    config: dict[str, Any]
    split_hash: str | None = None
    train_frames: int | None = None
    val_frames: int | None = None
    mean_depth_frames: int | None = None
    masked: dict[str, int] = dataclasses.field(default_factory=dict)
    intrinsics: Intrinsics | None = None
    scenes: tuple[str, ...] = ()
    began_with: tuple[TrainedOn, ...] = ()

    @property
    def model(self) -> dict[str, Any]:
        """The arguments of `models.build`."""
        return dict(self.config["model"])

    @property
    def frame_size(self) -> tuple[int, int]:
        """(H, W) of the frames."""
        return tuple(self.config["data"]["frame_size"])

    @property
    def crop_size(self) -> tuple[int, int]:
        """(h, w) of the network's input, the centre crop of a frame."""
        return tuple(self.config["data"]["crop_size"])

    @property
    def max_depth(self) -> float:
        """The greatest depth that counts as truth, and of any prediction, in metres."""
        return self.config["data"]["max_depth"]

    @property
    def flip_tta(self) -> bool:
        """Whether predictions average over the mirrored image."""
        return self.config["flip_tta"]

    @property
    def pipeline(self) -> str:
        """What made the batches, see `data.batches.inputs`."""
        return self.config["data"]["batches"]

    @property
    def data_path(self) -> str | None:
        """Where the source was."""
        return self.config["data"]["path"]

    @property
    def trained_on(self) -> tuple[TrainedOn, ...]:
        """All trainings behind this run's network, first to last; the last is its own."""
        data = self.config["data"]
        rooms = {}
        if data["source"] == "rooms":
            rooms = dict(seed=self.config["seed"], train_frames=data["rooms_frames"][0])
        names = {name: data[name] for name in ("source", "split", "mix", "depth")}
        return *self.began_with, TrainedOn(split_hash=self.split_hash, scenes=self.scenes, **names, **rooms)

    def to_json(self) -> dict:
        """The content of config.json; raises InputError where `from_json` would refuse it."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "config"}
        data["intrinsics"] = list(self.intrinsics or ())
        data["began_with"] = [dataclasses.asdict(entry) for entry in self.began_with]
        content = json.loads(json.dumps({"format": _FORMAT, "config": self.config, "data": data}))
        _check(content["config"], content["data"])
        return content


def _check(config, data):
    """Raises InputError for settings or data that are missing, of another type or out of bounds."""
    expected.check(upgrade.flatten(config), data)
    models.check_size(models.build(**config["model"]), config["data"]["crop_size"])


def from_json(content) -> RunRecord:
    """The RunRecord of config.json's content, upgraded from whichever version wrote it.

    Raises:
      InputError: for a setting that is missing, of another type or out of bounds.
      KeyError, TypeError, ValueError: if it is not a record.
    """
    if content.get("format", 1) > _FORMAT:
        raise ValueError(f"written by a later version (format {content['format']})")
    config, data = upgrade.settings(content["config"]), dict(content["data"])
    _check(config, data)
    known = {f.name for f in dataclasses.fields(RunRecord)} - {"config"}
    data = {name: value for name, value in data.items() if name in known}
    data["intrinsics"] = Intrinsics(*data["intrinsics"]) if data.get("intrinsics") else None
    data["scenes"] = tuple(data.get("scenes", ()))
    data["began_with"] = tuple(_training(entry) for entry in data.get("began_with", ()))
    return RunRecord(config, **data)


def _training(entry) -> TrainedOn:
    known = {name: value for name, value in entry.items() if value is not None}
    return TrainedOn(**known | {"scenes": tuple(known.get("scenes", ()))})


def read(workdir) -> RunRecord:
    """Reads the record of a run.

    Args:
      workdir: folder of a training run or of a packed network.

    Returns:
      A RunRecord.

    Raises:
      FileNotFoundError: if there is none.
      InputError: if it cannot be read, or a setting in it is not as expected.
    """
    path = pathlib.Path(workdir, NAME)
    if not path.is_file():
        has = f"checkpoints but no {NAME}" if path.with_name("checkpoints").is_dir() else f"no {NAME}"
        raise FileNotFoundError(f"workdir {str(workdir)!r} has {has}: expected the folder of a training run")
    if (size := path.stat().st_size) > expected.MAX_BYTES:
        raise InputError(
            f"{path}: {size:,} bytes: expected the record of a training run, at most {expected.MAX_BYTES:,}"
        )
    try:
        return from_json(json.loads(path.read_text()))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: not the record of a training run ({type(error).__name__}: {error})") from error
