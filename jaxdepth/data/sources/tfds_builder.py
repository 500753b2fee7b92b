"""The labelled frames of NYU Depth V2 as a TensorFlow Dataset with random access, built from the .mat file."""

import pathlib
import tempfile

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from jaxdepth import advice
from jaxdepth.data import splits
from jaxdepth.data.sources import nyu
from jaxdepth.geometry.camera import NYU_SIZE


class NyuDepthV2Labeled(tfds.core.GeneratorBasedBuilder):
    """NYU Depth V2's 1449 labelled frames (Silberman 2012) in their official split, full size.

    `manual_dir` holds `nyu_depth_v2_labeled.mat`. If the file has only part of the frames, a split without any is left
    out.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = advice.typed(
        f"Put {nyu.FILE_NAME} there: `python launch/prepare_data.py nyu` downloads it."
    )

    def _info(self):
        size = NYU_SIZE
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(*size, 3), encoding_format="png"),
                    "depth": tfds.features.Tensor(shape=size, dtype=np.float32, encoding="zlib"),  # metres, filled
                    "label": tfds.features.Tensor(shape=size, dtype=np.uint16, encoding="zlib"),  # 0: unlabelled
                    "id": np.int64,  # the official one, from 1
                }
            ),
            supervised_keys=("image", "depth"),
            homepage=nyu.PAGE,
        )

    def _split_generators(self, dl_manager):
        path = pathlib.Path(dl_manager.manual_dir, nyu.FILE_NAME)
        train, test = (set(ids) for ids in splits.nyu_lists()["official"])
        present = set(nyu.frame_ids(path).tolist())
        return {
            name: self._generate_examples(path, ids & present)
            for name, ids in (("train", train), ("test", test))
            if ids & present
        }

    def _generate_examples(self, path, wanted):
        for frame in nyu.read_frames(path, wanted):
            yield frame["id"], frame


def prepare(path, folder):
    """Builds the dataset nyu_depth_v2_labeled from a .mat file; a dataset that is already there is kept.

    Args:
      path: the .mat file.
      folder: where the dataset's own folder is created.

    Returns:
      The dataset's folder.

    Raises:
      InputError: if the file is not as expected.
      OSError: if the disk is full.
    """
    frames = len(nyu.frame_ids(path))  # raises for a wrong file before anything is written
    builder = NyuDepthV2Labeled(data_dir=folder, file_format="array_record")
    with tempfile.TemporaryDirectory() as manual:
        pathlib.Path(manual, nyu.FILE_NAME).symlink_to(pathlib.Path(path).resolve())
        try:
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual))
        except RuntimeError as error:  # the writer's way to report an OSError
            raise OSError(f"{builder.data_dir}: it could not be written: {error}") from error
    made = sum(split.num_examples for split in builder.info.splits.values())
    if made != frames:
        logging.warning(
            "%s has %d frames, %s has %d: the dataset is kept as it is; remove it to build it again",
            *(builder.data_dir, made, path, frames),
        )
    return pathlib.Path(builder.data_dir)
