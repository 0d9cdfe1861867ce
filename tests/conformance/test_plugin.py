"""The pytest plugin, in processes of its own."""

import os
import re

import pytest

from keras_optimizers.tensorflow_private import RELEASE

pytest_plugins = ["pytester"]

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IS_1 = RELEASE.first == (1, 15)
GRAPH_MODE = "import tensorflow.compat.v1 as tf\ntf.disable_v2_behavior()\n"
PLUGIN = "keras_optimizers.conformance.pytest_plugin"


def is_installed():
    """Whether pytest finds the plugin by itself: not where the checkout is only on the path."""
    try:
        from importlib import metadata
    except ImportError:  # before Python 3.8
        import pkg_resources

        found = pkg_resources.iter_entry_points("pytest11")
        return any(entry.module_name == PLUGIN for entry in found)
    groups = metadata.entry_points()
    found = groups.select(group="pytest11") if hasattr(groups, "select") else groups["pytest11"]
    return any(entry.value == PLUGIN for entry in found)


@pytest.fixture
def run(pytester, monkeypatch):
    """Runs pytest on a file's text."""
    monkeypatch.setenv("PYTHONPATH", ROOT)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    monkeypatch.delenv("CI", raising=False)

    def run_with(text, *arguments, graph_mode=not IS_1):  # the page says both
        if text:
            pytester.makepyfile(test_it=text)
        if graph_mode:
            pytester.makeconftest(GRAPH_MODE)
        by_hand = [] if is_installed() else ["-p", PLUGIN]
        return pytester.runpytest_subprocess(*by_hand, "-p", "no:cacheprovider", *arguments)

    return run_with


TEXT = """
import keras_optimizers
from keras_optimizers.conformance import parametrize_with_checks

class Late(keras_optimizers.SGD):
    def step_coefficients(self, step):
        found = super().step_coefficients(step)
        found["learning_rate"] = found["learning_rate"] * 2.0
        return found

@parametrize_with_checks([keras_optimizers.SGD, Late], class_name="SGD"%s)
def test_conforms(check):
    check()
"""


@pytest.mark.slow
def test_ids_can_be_selected_and_a_failure_says_where(run, pytester):
    done = run(TEXT % "", "-k", "decay", "--conformance-report=report.html")
    done.assert_outcomes(passed=1, failed=1, deselected=18)
    done.stdout.fnmatch_lines(
        [
            "*step 1 of 30, velocity of parameter 0*",
            "*again: *sgd_decay*",
            "SGD * 2*",
            "Late * 2 of 2 DIFFER*",
            "wrote report.html",
        ]
    )
    assert "velocity of parameter 0" in (pytester.path / "report.html").read_text()


@pytest.mark.slow
def test_expected_failures_xfail_and_fail_when_they_pass(run):
    expected = ", expected_failed_checks={'decay': 'twice the rate'}"
    done = run(TEXT % expected, "-k", "decay")
    done.assert_outcomes(xfailed=1, failed=1, deselected=18)
    done.stdout.fnmatch_lines(["*expected to fail (twice the rate), and it conforms*"])


@pytest.mark.slow
def test_recordings_are_written_on_request_and_reported_when_unused(run, pytester, monkeypatch):
    text = TEXT.replace(", Late]", "]") % ", reference='kept/sgd.json'"
    missing = run(text, "-k", "decay")
    missing.assert_outcomes(failed=1, deselected=9)
    missing.stdout.fnmatch_lines(["*There is no recording 'kept/sgd.json'*"])
    run("", "-k", "decay", "--conformance-record").assert_outcomes(passed=1, deselected=9)
    run("", "-k", "decay").assert_outcomes(passed=1, deselected=9)
    kept = pytester.path / "kept"
    (kept / "old.json").write_bytes((kept / "sgd.json").read_bytes())
    done = run("")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*old.json: no test uses this recording*"])
    monkeypatch.setenv("CI", "true")
    refused = run("", "--conformance-record")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*does not run where CI is set*"])


ASSERTED = """
import keras_optimizers
from keras_optimizers.conformance import assert_conforms

def test_sgd():
    assert_conforms(keras_optimizers.SGD%s, checks=["weights_layout"])
"""


@pytest.mark.slow
def test_what_a_test_asserts_is_in_the_report_and_is_recorded(run, pytester):
    done = run(ASSERTED % "", "--conformance-report=report.html")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["SGD * 1", "1 comparisons, 0 failures", "wrote report.html"])
    assert "All 1 comparisons conform" in (pytester.path / "report.html").read_text()
    text = ASSERTED % ", 'kept/sgd.json'"
    run(text).assert_outcomes(failed=1)
    run("", "--conformance-record").assert_outcomes(passed=1)
    assert (pytester.path / "kept" / "sgd.json").exists()
    run("").assert_outcomes(passed=1)


@pytest.mark.slow
def test_several_processes_report_as_one_does(run, pytester):
    pytest.importorskip("xdist")
    arguments = ["-k", "decay or weights_layout", "-n", "2", "--conformance-report=report.html"]
    done = run(TEXT % "", *arguments)
    done.assert_outcomes(passed=3, failed=1)
    done.stdout.fnmatch_lines(
        [
            "*again: *sgd_decay*",
            "SGD * 2 * 1",
            "Late * 2 of 2 DIFFER * 1",
            "6 comparisons, 2 failures",
            "wrote report.html",
        ]
    )
    assert "2 of 6 comparisons fail" in (pytester.path / "report.html").read_text()
    assert str(done.stdout).count("conformance of optimizers") == 1


@pytest.mark.slow
def test_recordings_are_made_in_one_process_and_used_by_several(run, pytester):
    pytest.importorskip("xdist")
    text = TEXT.replace(", Late]", "]") % ", reference='kept/sgd.json'"
    refused = run(text, "-n", "2", "--conformance-record")
    assert refused.ret == 4 and not (pytester.path / "kept").exists()
    refused.stderr.fnmatch_lines(["*Record in one process: add -n 0*"])
    run("", "-n", "0", "-k", "decay", "--conformance-record").assert_outcomes(
        passed=1, deselected=9
    )
    assert run("", "-n", "2").ret == 0
    kept = pytester.path / "kept"
    (kept / "old.json").write_bytes((kept / "sgd.json").read_bytes())
    done = run("", "-n", "2")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*old.json: no test uses this recording*"])
    assert str(done.stdout).count("no test uses this recording") == 1


def test_an_unknown_reference_is_bad_usage(run):
    done = run("", "--conformance-reference", "tf-9")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*Unknown reference 'tf-9'*"])


@pytest.mark.parametrize(
    "path, words",
    [(".", "it is a directory. Give another path"), ("no/report.html", "there is no folder")],
)
def test_a_report_that_cannot_be_written_is_refused_before_the_tests_run(run, path, words):
    done = run("def test_one(): pass", "--conformance-report", path)
    assert done.ret == 4
    done.stderr.fnmatch_lines([f"*--conformance-report: *{words}*"])


def test_the_plugin_imports_nothing_of_the_kit_until_it_is_used(run):
    text = """
        import sys

        def test_nothing_heavy():
            kit = [n for n in sys.modules if n.startswith("keras_optimizers.conformance.")]
            assert set(kit) <= {"keras_optimizers.conformance.pytest_plugin"}
            assert "numpy" not in sys.modules and "tensorflow" not in sys.modules
    """
    run(text, "-p", "no:hypothesispytest", graph_mode=False).assert_outcomes(passed=1)


@pytest.mark.slow
def test_the_three_lines_of_the_page_pass_in_an_empty_folder(run):
    block = blocks_of_the_page()[0]
    if not IS_1:
        assert "tf-1.10" in block
        block = block.replace("tf-1.10", "tf-2.15-v1")
    run(block).assert_outcomes(passed=1)


@pytest.mark.slow
@pytest.mark.skipif(not IS_1, reason="the page's reference is a version of TensorFlow 1")
def test_the_page_expects_of_nadam_what_fails(run):
    done = run(blocks_of_the_page()[1], "-k", "Nadam and (resume or layout or determinism)")
    done.assert_outcomes(xfailed=2, passed=1, deselected=17)


def blocks_of_the_page():
    with open(os.path.join(ROOT, "docs", "conformance.md"), encoding="utf-8") as opened:
        return re.findall(r"```python\n(.*?)```", opened.read(), re.DOTALL)
