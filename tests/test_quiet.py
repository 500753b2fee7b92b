"""Silence over several threads."""

import threading
import warnings

from jaxdepth import quiet


def test_a_thread_that_leaves_keeps_the_silence_of_another_and_the_last_restores_the_filters():
    before = list(warnings.filters)
    entered, left, told = threading.Event(), threading.Event(), []

    def other():
        try:
            with quiet.no_warnings():
                entered.set()
                left.wait(10)
                warnings.warn("an odd header", stacklevel=1)  # an error by the filters of the tests
        except UserWarning as warning:
            told.append(warning)

    thread = threading.Thread(target=other)
    with quiet.no_warnings():
        thread.start()
        assert entered.wait(10)
    left.set()
    thread.join(10)
    assert not told
    assert warnings.filters == before
