"""The pytest plugin: options, a summary in the terminal, a report as HTML.

It imports nothing of the kit until a test uses it.
"""

import json
import os
import sys
from typing import Any, Dict, List


def pytest_addoption(parser: Any) -> None:
    """The options."""
    group = parser.getgroup("conformance", "conformance of optimizers")
    group.addoption(
        "--conformance-reference",
        metavar="NAME",
        help="the reference of checks that name none, such as tf-1.10 (default: tf-1.15)",
    )
    group.addoption(
        "--conformance-record",
        action="store_true",
        help="write the recordings that tests name as their reference, instead of comparing",
    )
    group.addoption(
        "--conformance-report", metavar="FILE", help="write all results to FILE as one HTML page"
    )


def pytest_configure(config: Any) -> None:
    """Register the marker, and look at the options.

    Raises:
        pytest.UsageError: If the options make no sense.
    """
    config.addinivalue_line("markers", "conformance: compares an optimizer with a reference")
    reference = config.getoption("--conformance-reference")
    record = config.getoption("--conformance-record")
    _check_report(config.getoption("--conformance-report"))
    if not reference and not record:
        return
    import pytest

    if record and os.environ.get("CI"):
        raise pytest.UsageError(
            "--conformance-record writes the numbers that later runs are compared with. It does "
            "not run where CI is set: record on your machine, look at what changed, commit it."
        )
    if record and (is_worker(config) or config.getoption("numprocesses", None)):
        raise pytest.UsageError(
            "--conformance-record writes files that processes would overwrite for each other. "
            "Record in one process: add -n 0."
        )
    from keras_optimizers.conformance import references
    from keras_optimizers.conformance.session import Session

    if reference:
        try:
            references.load_reference(reference)
        except (ValueError, references.RecordingError) as error:
            raise pytest.UsageError(f"--conformance-reference: {error}") from error
        Session.reference = reference
    Session.recording = record


def _check_report(path: Any) -> None:
    """Refuse a report that cannot be written before the tests have run.

    Raises:
        pytest.UsageError: If no text can, or may, be written to the path.
    """
    if not path:
        return
    import pytest

    from keras_optimizers import output

    try:
        output.check_place_of_text(path)
    except output.OutputError as error:
        raise pytest.UsageError(f"--conformance-report: {error}") from error


def is_worker(config: Any) -> bool:
    """Whether this is a process of pytest-xdist that runs tests for another one."""
    return hasattr(config, "workerinput")


def _kit() -> Any:
    """The kit's session if a test has imported it, else None."""
    return sys.modules.get("keras_optimizers.conformance.session")


def pytest_runtest_logreport(report: Any) -> None:
    """Collect what a test found; with pytest-xdist this is in the process that reports."""
    for name, value in getattr(report, "user_properties", ()):
        if name == "conformance" and report.when == "call":
            found = json.loads(value)
            _RESULTS.extend(found["results"])
            _USED.update(found["used"])


def pytest_runtest_makereport(item: Any, call: Any) -> None:
    """Hand on what the kit has gathered during the test."""
    kit = _kit()
    if call.when == "call" and kit is not None and (kit.Session.results or kit.Session.used):
        found = {
            "results": [list(result) for result in kit.Session.results],
            "used": sorted(os.path.abspath(path) for path in kit.Session.used),
        }
        kit.Session.results.clear()
        kit.Session.used.clear()
        item.user_properties.append(("conformance", json.dumps(found)))


_RESULTS: List[Any] = []
_USED: Any = set()


def _results() -> Any:
    from keras_optimizers.conformance.results import CheckResult

    return [CheckResult(*values) for values in _RESULTS]


def pytest_deselected(items: Any) -> None:
    """With tests left out, recordings may be unused."""
    _STATE["complete"] = False


_STATE: Dict[str, bool] = {"complete": True}


def _unused_recordings() -> List[str]:
    """Recordings beside those in use that no test has used."""
    from keras_optimizers.conformance.recorder import storage

    unused = []
    for folder in sorted({os.path.dirname(path) for path in _USED}):
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if name.endswith(".json") and path not in _USED:
                try:
                    storage.read_facts(path)
                except storage.RecordingError:
                    continue  # something else
                unused.append(path)
    return unused


def pytest_sessionfinish(session: Any, exitstatus: int) -> None:
    """A recording that nothing uses is a failure, where all tests ran."""
    if is_worker(session.config):  # which ran some of the tests
        return
    chosen = session.config.getoption("keyword", "") or session.config.getoption("markexpr", "")
    named = any("::" in str(argument) for argument in session.config.args)
    if _USED and _STATE["complete"] and not chosen and not named and exitstatus == 0:
        unused = _unused_recordings()
        if unused:
            _MESSAGES.extend(
                f"{path}: no test uses this recording. Remove it, or name it as a reference."
                for path in unused
            )
            session.exitstatus = 1


_MESSAGES: List[str] = []


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """The table, and the report where one is asked for."""
    if not _RESULTS:
        return
    from keras_optimizers import output
    from keras_optimizers.conformance import html_report, results

    found = _results()
    terminalreporter.section("conformance of optimizers")
    terminalreporter.write_line(results.table(found))
    failed = len(results.failures(found))
    terminalreporter.write_line(f"{len(found)} comparisons, {failed} failures")
    for message in _MESSAGES:
        terminalreporter.write_line(message, red=True)
    path = config.getoption("--conformance-report")
    if path:
        try:
            output.write_text(path, html_report.page(found))
        except output.OutputError as error:
            terminalreporter.write_line(str(error), red=True)
        else:
            terminalreporter.write_line(f"wrote {path}")
