"""Sources of frames, their splits, and batches.

Tensorflow, whose import takes seconds, is only imported by `batches.tfdata_augment`, by the functions
`batches.tfdata.train_batches` and `sources.tfds.open_tfds`, and by `sources.tfds_builder`.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when tensorflow is imported: only fatal errors are logged
