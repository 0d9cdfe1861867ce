"""Which tests are of TensorFlow 1.15 itself, and so are left out on TensorFlow 2, each with why."""

import pytest

# By the beginning of a test's id. Of these modules a whole file is left out, which says so itself:
# tests/hosts/test_standalone_keras.py.
LEFT_OUT = {
    "tests/test_base.py::test_no_public_method_is_upstreams[TFOptimizer]": "the host's class has "
    "`minimize`, which its `fit` calls under eager execution",
    "tests/hosts/test_placement.py::test_multi_gpu_model": "it has no multi_gpu_model",
}
PREFIX = "not on TensorFlow 2: "


def leave_out(items):
    """Mark the tests that do not apply: they are skipped, with the reason."""
    for item in items:
        for beginning, reason in LEFT_OUT.items():
            if item.nodeid.startswith(beginning):
                item.add_marker(pytest.mark.skip(reason=PREFIX + reason))


def summary(skipped):
    """Lines that say how many tests were left out, and why.

    Arguments:
        skipped: pytest's reports of tests that were skipped.
    """
    counts = {}
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if PREFIX in reason:
            why = reason.split(PREFIX, 1)[1]
            counts[why] = counts.get(why, 0) + 1
    if not counts:
        return []
    first = f"{sum(counts.values())} tests are of TensorFlow 1.15 itself and were left out:"
    return [first] + [f"  {count:4d}  {why}" for why, count in sorted(counts.items())]
