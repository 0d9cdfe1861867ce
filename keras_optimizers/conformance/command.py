"""The `keras-optimizers conformance` command."""

import argparse
import importlib
import json
import os
import sys
import textwrap
import time
from typing import Any, Dict, List

from keras_optimizers import output
from keras_optimizers.conformance import api, behaviour_page, html_report, references, results
from keras_optimizers.conformance.recorder import cases
from keras_optimizers.conformance.recorder.hosts import REFERENCES
from keras_optimizers.suggestions import did_you_mean

_BAD = 2


def run(options: argparse.Namespace) -> int:
    """Compare, print a table, write what is asked for; the exit status."""
    try:
        return _run(options)
    except (ValueError, ImportError, RuntimeError, references.RecordingError) as error:
        print(f"keras-optimizers: {error}", file=sys.stderr)
        return _BAD


def _run(options: argparse.Namespace) -> int:
    if options.list:
        output.show(listing())
        return 0
    if options.history:
        output.check_place_of_text(options.history)
        output.write_text(options.history, behaviour_page.page())
        output.show(f"wrote {options.history}")
        return 0
    _check_folder(options.html)
    if options.class_name and options.class_name not in cases.CLASS_NAMES:
        raise ValueError(
            f"Unknown class {options.class_name!r} in --class."
            f"{did_you_mean(options.class_name, cases.CLASS_NAMES)} There are: "
            f"{', '.join(cases.CLASS_NAMES)}."
        )
    if options.html:
        output.check_place_of_text(options.html)
    expected = dict(_expectation(text) for text in options.expect or ())
    # Before TensorFlow is imported, which takes a second.
    for name in options.reference or ():
        references.load_reference(name)
    factories = [_factory(text) for text in options.factories] or _ours(options.host)
    show = _Progress(_count(options, len(factories)))
    if options.record:
        if len(options.factories) != 1:
            raise ValueError("--record takes exactly one MODULE:FACTORY.")
        try:
            path = api.record_all(
                factories[0], options.record, options.class_name, options.host, show.step
            )
        except OSError as error:
            reason = error.strerror or error
            raise output.OutputError(f"Cannot write {options.record!r}: {reason}.") from error
        show.done()
        output.show(f"wrote {path} and {os.path.join(os.path.dirname(path), 'arrays.npz')}")
        return 0
    found: List[results.CheckResult] = []
    subjects = [api.Subject(factory, options.class_name, options.host) for factory in factories]
    for subject, text in zip(subjects, options.factories):
        subject.given = text
    for reference in options.reference or [references.OURS]:
        for subject in subjects:
            found += api.run(
                subject,
                reference,
                options.level,
                options.check,
                options.case,
                expected,
                progress=show.step,
            )
    show.done()
    if options.case and not found:
        raise ValueError(
            f"No check has the case {', '.join(options.case)} for "
            f"{', '.join(subject.name for subject in subjects)}; --list shows which there are."
        )
    if options.html:
        output.write_text(options.html, html_report.page(found))
        print(f"wrote {options.html}", file=sys.stderr)
    failed = results.failures(found, options.strict)
    if options.json:
        output.show(as_json(found, failed))
    else:
        output.show(summary(found, failed))
    return 1 if failed else 0


def summary(found: List[results.CheckResult], failed: List[results.CheckResult]) -> str:
    """The table, what failed, and one line."""
    parts = [results.table(found)]
    documented = [result for result in found if result.status == "documented"]
    explained = [result for result in found if result.status == "explained"]
    if documented:
        text = f"doc.: {results.STATUSES['documented']} (docs/behaviour.md):"
        parts.append("\n  ".join([text] + _grouped(documented)))
    if explained:
        text = f"expl.: {results.STATUSES['explained']} (docs/conformance.md, Another processor):"
        parts.append("\n  ".join([text] + _grouped(explained)))
    if failed:
        parts.append(results.as_text(failed, 5))
    compared = sum(result.status != "skipped" for result in found)
    parts.append(f"{compared} comparisons, {len(failed)} failures")
    return "\n\n".join(parts)


def _grouped(of_a_kind: List[results.CheckResult]) -> List[str]:
    """A reference and check, with the cases, on one line or several."""
    groups: Dict[str, List[str]] = {}
    for result in of_a_kind:
        title = f"{result.reference}, {result.check}"
        groups.setdefault(title, []).append(results.name_of(result))
    lines: List[str] = []
    for title, names in groups.items():
        lines += textwrap.wrap(f"{title}: {', '.join(names)}", 96, subsequent_indent="    ")
    return lines


def as_json(found: List[results.CheckResult], failed: List[results.CheckResult]) -> str:
    """All results, for programs. NaN and infinity become text."""
    records = [dict(result._asdict()) for result in found]
    for record in records:
        for key in ("ulps", "absolute"):
            record[key] = [value if value < float("inf") else str(value) for value in record[key]]
    made = {"failures": len(failed), "comparisons": len(found), "results": records}
    return json.dumps(made, indent=1)


def listing() -> str:
    """References, checks and cases, as text."""
    lines = ["references:"]
    for name in references.names():
        title = REFERENCES[name].title if name in REFERENCES else "the update rules in NumPy"
        lines.append(f"  {name:16}{title}")
    lines.append("checks:")
    from keras_optimizers.conformance.arguments import CHECKS

    lines += [f"  {name}" for name in CHECKS]
    lines.append("cases:")
    for name, case in list(cases.CASES.items()) + list(cases.CUSTOM_CASES.items()):
        arguments = ", ".join(f"{key}={value}" for key, value in case.arguments.items())
        lines.append(f"  {name:28}{case.class_name or 'any'}({arguments}), {case.problem}")
    return "\n".join(lines)


def _ours(host: str) -> List[Any]:
    import keras_optimizers

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if host == "keras":
        keras_optimizers.use_host(importlib.import_module("keras"))
    return [getattr(keras_optimizers, name) for name in cases.CLASS_NAMES]


def _factory(text: str) -> Any:
    """What MODULE:FACTORY names.

    Raises:
        ValueError: If there is no such module or name.
    """
    module_name, colon, name = text.partition(":")
    if not colon or not name:
        raise ValueError(
            f"{text!r} is not MODULE:FACTORY, such as keras_optimizers:Adam or mypackage:MyAdam."
        )
    sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except ImportError as error:
        raise ValueError(f"Cannot import {module_name!r} of {text!r}: {error}") from error
    except AttributeError as error:
        raise ValueError(f"{module_name!r} has no {name!r}.") from error
    finally:
        sys.path.pop(0)
    return found


def _expectation(text: str) -> Any:
    check, equals, reason = text.partition("=")
    if not equals or not reason:
        raise ValueError(f"--expect takes CHECK=REASON, not {text!r}.")
    return check, reason


def _check_folder(path: str) -> None:
    folder = os.path.dirname(os.path.abspath(path or "."))
    if path and not os.path.isdir(folder):
        raise ValueError(f"There is no folder {folder!r} for {path!r}.")


def _count(options: argparse.Namespace, factories: int) -> int:
    """About how many cases come, for the progress bar."""
    return max(1, factories) * 12 * len(options.reference or [""])


class _Progress:
    """A bar on a terminal: which case runs, and how long it has taken."""

    def __init__(self, total: int) -> None:
        self._shown, self._total, self._done = sys.stderr.isatty(), total, 0
        self._started = time.time()

    def step(self, text: str) -> None:
        """Another case begins."""
        self._done = min(self._done + 1, self._total)
        if self._shown:
            filled = 20 * self._done // self._total
            bar = "#" * filled + "." * (20 - filled)
            seconds = time.time() - self._started
            print(f"\r\033[K[{bar}] {seconds:3.0f} s  {text}", end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        """Leave a clean line."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
