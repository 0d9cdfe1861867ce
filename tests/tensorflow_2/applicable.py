"""Which tests are of TensorFlow 1.15 itself, and so are left out on TensorFlow 2, each with why."""

import pytest

_PRIVATE = "uses private modules of TensorFlow 1.15"
_STANDALONE = "standalone Keras 2.2 and 2.3 need TensorFlow 1.15"
_HOROVOD = "Horovod is compiled for TensorFlow 1.15"
_SPEED = "bounds on size and speed were measured on TensorFlow 1.15"
_PROCESSES = "starts processes of its own with TensorFlow 1.15"

# By the beginning of a test's id.
LEFT_OUT = {
    "tests/test_hosts.py::test_cloning_a_compiled_model": _PRIVATE,
    "tests/test_hosts.py::test_the_clone_that_an_estimator": _PRIVATE,
    "tests/test_hosts.py::test_a_model_saved_with_optimizer_v2": "there the newer optimizers "
    "cannot be saved in graph mode",
    "tests/hosts/test_replaced_functions.py": _PRIVATE,
    "tests/test_hosts.py::test_other_names_of_the_host_stay": "compat.v2.keras is the host there",
    "tests/test_base.py::test_no_public_method_is_upstreams[TFOptimizer]": "TensorFlow 2's has a "
    "method `minimize`, for eager execution",
    "tests/test_cli.py::test_run_with_standalone_keras_as_the_host": _STANDALONE,
    "tests/test_cli.py::test_run_gives_a_script_our_optimizers": "tensorflow_2/test_scripts.py "
    "does the same",
    "tests/test_tf_optimizer.py::test_under_eager_execution": _PRIVATE,
    "tests/hosts/test_placement.py": _PRIVATE,
    "tests/hosts/test_standalone_keras.py": _STANDALONE,
    "tests/strangers": _STANDALONE,
    "tests/conformance": "the recordings' own tests; they need no TensorFlow 2",
    "tests/test_horovod.py": _HOROVOD,
    "tests/test_graph_size.py": _SPEED,
    "tests/test_bench.py": _SPEED,
    "tests/test_parameter_servers.py": _PROCESSES,
    "tests/test_docs.py": _PROCESSES,
    "tests/test_find_python.py": "needs no TensorFlow",
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
