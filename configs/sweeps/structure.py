"""The paper's K scales and the pyramid, and how the train gate trains it: from scratch on NYU's frames, 20 epochs."""

CONFIG = "../best.py"
COMMON = {"initial": "", "optim.learning_rate": 1.5e-3, "steps": 1720, "validate_every": 10}
