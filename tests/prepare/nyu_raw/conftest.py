"""The data set of raw recordings without the workers of Beam, which have tests of their own."""

import random

import pytest

from jaxdepth.prepare.nyu_raw import parallel


@pytest.fixture
def without_beam(monkeypatch):
    """The elements one after the other, in an order that differs with the number of workers."""

    def each(function, elements, *, done, total, workers, **_):
        elements = list(elements)
        random.Random(workers).shuffle(elements)
        for element in elements:
            function(element)
        assert done() <= total

    monkeypatch.setattr(parallel, "each", each)
    monkeypatch.setattr(parallel, "check_options", lambda options: None)
