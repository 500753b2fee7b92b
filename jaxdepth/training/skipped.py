"""Steps that were not taken because their loss, gradient or update was not finite, see `step.make_train_step`."""

import jax
from absl import logging

_NAMED = 3  # skipped steps whose frames are named, of those that are settled together


class SkippedSteps:
    """Counts skipped steps and names their frames.

    Args:
      names_of: step -> names of its frames.

    Attributes:
      in_a_row: how many steps were skipped without a break up to the last one that was settled.
    """

    def __init__(self, names_of):
        self.in_a_row = 0
        self._names_of = names_of
        self._waiting = []  # (step, is_finite on the device)
        self._count = 0

    def add(self, step, is_finite):
        """Takes a step's `is_finite`, without waiting for it."""
        self._waiting.append((step, is_finite))

    def settle(self):
        """Waits for the steps so far, and logs which were skipped."""
        steps, flags = [step for step, _ in self._waiting], jax.device_get([flag for _, flag in self._waiting])
        self._waiting.clear()
        for is_finite in flags:
            self.in_a_row = 0 if is_finite else self.in_a_row + 1
        skipped = [step for step, is_finite in zip(steps, flags, strict=True) if not is_finite]
        self._count += len(skipped)
        for step in skipped[:_NAMED]:
            names = ", ".join(self._names_of(step))
            logging.warning("step %d: loss or gradient not finite: the step was not taken; frames: %s", step, names)
        if len(skipped) > _NAMED:
            logging.warning("%d more steps up to step %d were not taken", len(skipped) - _NAMED, skipped[-1])

    def take_count(self):
        """How many settled steps were skipped since the last call."""
        count, self._count = self._count, 0
        return count
