"""One result at 1 to 32 threads under load; see determinism.py, which makes 200 runs a case."""

import pytest

from tests.reliability import determinism
from tests.training import upstream


@pytest.mark.parametrize(
    "class_name, path",
    [("Nadam", "decay"), ("SGD", "native")],
)
def test_some_runs_under_load_have_one_result(class_name, path):
    if not determinism.PATHS[path].needs():
        pytest.skip("the native op cannot be had here")
    with determinism.background_load(1):
        counts, together = determinism.distinct_results(class_name, path, 4)
    assert set(counts) == {1, 2, 8, 32} and together == 1


@pytest.mark.flaky_upstream
def test_upstreams_class_gives_several_results():
    """The check can fail: it does for the original."""
    _, together = determinism.distinct_results("Nadam", "decay", 60, (8,), upstream)
    assert together > 1
