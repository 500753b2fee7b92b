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
      longest: the most that were skipped without a break.
      count: how many were skipped since the last `take_count`.
    """

    def __init__(self, names_of):
        self.in_a_row = self.longest = self.count = 0
        self._names_of = names_of
        self._waiting = []  # (step, is_finite on the device)

    def add(self, step, is_finite):
        """Takes a step's `is_finite`, without waiting for it."""
        self._waiting.append((step, is_finite))

    def settle(self):
        """Waits for the steps so far, and logs which were skipped."""
        steps, flags = [step for step, _ in self._waiting], jax.device_get([flag for _, flag in self._waiting])
        self._waiting.clear()
        for is_finite in flags:
            self.in_a_row = 0 if is_finite else self.in_a_row + 1
            self.longest = max(self.longest, self.in_a_row)
        skipped = [step for step, is_finite in zip(steps, flags, strict=True) if not is_finite]
        self.count += len(skipped)
        for step in skipped[:_NAMED]:
            names = ", ".join(self._names_of(step))
            logging.warning("step %d: loss or gradient not finite: the step was not taken; frames: %s", step, names)
        if len(skipped) > _NAMED:
            logging.warning("%d more steps up to step %d were not taken", len(skipped) - _NAMED, skipped[-1])

    def take_count(self):
        """`count`, which is 0 then."""
        count, self.count = self.count, 0
        return count
