"""The labelled frames of NYU Depth V2 as a TensorFlow Dataset of random access, made from the .mat file."""

import pathlib
import tempfile

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from jaxdepth.data import splits
from jaxdepth.data.sources import nyu


class NyuDepthV2Labeled(tfds.core.GeneratorBasedBuilder):
    """NYU Depth V2's 1449 labelled frames (Silberman 2012) in their official split, full size.

    `manual_dir` holds `nyu_depth_v2_labeled.mat`. Of a file with a part of the frames, a split without any is left out.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"Put {nyu.FILE_NAME} there: `python launch/prepare_data.py nyu` downloads it."

    def _info(self):
        size = nyu.FULL_SIZE
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
    """Write the .mat file at `path` as the dataset nyu_depth_v2_labeled below `folder`; returns its own folder.

    What is there already stays. Raises ValueError where the file is not as expected, OSError where the disk is full.
    """
    frames = len(nyu.frame_ids(path))  # refuses a wrong file before anything is made
    builder = NyuDepthV2Labeled(data_dir=folder, file_format="array_record")
    with tempfile.TemporaryDirectory() as manual:
        pathlib.Path(manual, nyu.FILE_NAME).symlink_to(pathlib.Path(path).resolve())
        try:
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual))
        except RuntimeError as error:  # of the writer, which does not say OSError
            raise OSError(f"{builder.data_dir}: it could not be written: {error}") from error
    made = sum(split.num_examples for split in builder.info.splits.values())
    if made != frames:
        logging.warning(
            "%s: kept as it is, with %d frames, where %s has %d: remove it to make it anew",
            *(builder.data_dir, made, path, frames),
        )
    return pathlib.Path(builder.data_dir)
