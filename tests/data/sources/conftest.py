"""A file in NYU's layout that more than one module reads."""

import fake_nyu
import pytest

from jaxdepth.data.sources import nyu


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Its path; it holds frames 3, 5 and 1449."""
    return fake_nyu.write_mat(tmp_path_factory.mktemp("good") / nyu.FILE_NAME, 3, ids=[3, 5, 1449])
