"""Sources of frames, their splits, augmentation and batches; callers import the modules of this package.

`augment` and `tfdata.train_batches` are the only code that imports tensorflow, which costs seconds.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when tensorflow is imported: nothing but fatal errors
