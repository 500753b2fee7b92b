"""Sources of frames, their splits, augmentation and batches; callers import the modules of this package.

`augment` and `pipeline.train_batches` are the only code that imports tensorflow, which costs seconds.
"""
