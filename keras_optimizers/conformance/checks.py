"""The named checks. Each runs some cases of an optimizer and says what differs."""

import re
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence

from keras_optimizers.conformance import references
from keras_optimizers.conformance.comparison import compare
from keras_optimizers.conformance.context import Context, short
from keras_optimizers.conformance.recorder import cases, training
from keras_optimizers.conformance.results import FAILED, CheckResult
from keras_optimizers.conformance.subject import Subject


def _clips(case: cases.Case) -> bool:
    return "clipnorm" in case.arguments or "clipvalue" in case.arguments


def _compare_cases(wanted: Callable[[cases.Case], bool]) -> Any:
    def check(context: Context, name: str) -> Iterator[CheckResult]:
        for case in context.chosen(wanted):
            yield context.run_case(name, case)

    return check


def _check_layout(context: Context, name: str) -> Iterator[CheckResult]:
    for case in context.chosen(_is_plain)[:1]:
        trace = context.subject.trace(case)

        def differs(reference: Any, case: cases.Case = case, trace: Any = trace) -> str:
            if reference.refusal(case.name):
                return "the reference refuses the case"
            found = compare(trace, reference.trace(case.name)).layout
            return "get_weights(): " + "; ".join(found) if found else ""

        yield context.by_reference(name, case.name, differs)


def _compare_configs(context: Context, name: str) -> Iterator[CheckResult]:
    for case in context.chosen(lambda case: case.problem == "fed gradients"):
        if case.name in context.reference.case_names() and context.reference.refusal(case.name):
            continue  # the other checks say so
        trace = context.subject.trace(case)

        def differs(reference: Any, case: cases.Case = case, trace: Any = trace) -> str:
            if case.name not in reference.case_names() or reference.name == references.NUMPY:
                return ""
            recorded = reference.trace(case.name).config
            mine = trace.config
            if case.class_name not in ("", context.subject.name) and mine and recorded:
                # A class of another name may have arguments of its own.
                mine = {key: value for key, value in mine.items() if key in recorded}
            return _config_difference(mine, recorded)

        yield context.by_reference(name, case.name, differs)


def _check_config(context: Context, name: str) -> Iterator[CheckResult]:
    yield from _compare_configs(context, name)
    for case in context.chosen(_is_plain)[:1]:
        text = _round_trip(context.subject, case)
        label = case.name + " from_config"
        yield context.result(name, label, "different" if text else "equal", text)


def _config_difference(mine: Any, recorded: Any) -> str:
    if recorded is None or mine is None:
        return "" if mine == recorded else f"get_config() gives {mine!r}, expected {recorded!r}"
    lines = [f"{key!r} missing" for key in sorted(set(recorded) - set(mine))]
    lines += [f"{key!r} not in the reference" for key in sorted(set(mine) - set(recorded))]
    lines += [
        f"{key!r} is {mine[key]!r}, expected {recorded[key]!r}"
        for key in sorted(set(mine) & set(recorded))
        if mine[key] != recorded[key]
    ]
    return "get_config(): " + "; ".join(lines) if lines else ""


def _round_trip(subject: Subject, case: cases.Case) -> str:
    """What differs after `from_config(get_config())`, or ""."""
    trace = subject.trace(case)

    def made_again(**arguments: Any) -> Any:
        made = subject.make(**arguments)
        return type(made).from_config(made.get_config())

    try:
        again = training.run_case(subject.host, made_again, case, trace.class_name)
    except Exception as error:
        return f"from_config(get_config()) fails: {type(error).__name__}: {short(error)}"
    text = _config_difference(again.config, trace.config)
    if text:
        return "after from_config(get_config()) " + text
    found = compare(again, trace)
    return "" if found.conforms else "after from_config(get_config()) " + found.describe()


def _check_errors(context: Context, name: str) -> Iterator[CheckResult]:
    own = context.subject.class_name
    if context.reference.name == references.NUMPY or context.only:
        return
    mine = context.subject.errors()
    recorded = context.reference.facts.get("errors_by_class") or {}
    for case in mine:

        def differs(reference: Any, case: str = case) -> str:
            of_class = (reference.facts.get("errors_by_class") or {}).get(own, {})
            return _error_difference(mine[case], of_class[case]) if case in of_class else ""

        if own in recorded:
            yield context.by_reference(name, case, differs)


def _error_difference(mine: Any, recorded: Any) -> str:
    if recorded is None:
        return "" if mine is None else f"fails with {mine[0]}: {mine[1]}; the reference does not"
    if mine is None:
        return f"passes without an error; expected {recorded[0]}: {recorded[1]}"
    # Addresses of objects and the like, which no two runs share, are not compared.
    same = _plain_words(mine[1]).startswith(_plain_words(recorded[1])[:60])
    if mine[0] == recorded[0] and same:
        return ""
    return f"fails with {mine[0]}: {mine[1]!r}; expected {recorded[0]}: {recorded[1]!r}"


def _plain_words(words: str) -> str:
    return re.sub(r"<[^>]*>|[\[\]]|\s+|\d+", " ", words).strip()


def _check_determinism(context: Context, name: str) -> Iterator[CheckResult]:
    def wanted(case: cases.Case) -> bool:
        return case.problem == "fed gradients" and not _clips(case) and case.floatx == "float32"

    found = context.chosen(wanted)
    decaying = [case for case in found if "decay" in case.arguments]
    for case in (decaying or found)[:1]:
        text = _races(context.subject, case) or _repeat(context.subject, case)
        yield context.result(name, case.name, "different" if text else "equal", text)


def _races(subject: Subject, case: cases.Case) -> str:
    with training.fresh(subject.host, case.floatx):
        races = training.Training(subject.host, subject.make, case).find_races()
        if not races:
            return ""
        names = sorted({race.variable.op.name for race in races})
        race = races[0]
        return (
            f"a step reads and writes {', '.join(names)} with no order between, so results can "
            f"vary from run to run: the op {race.read.name!r} reads and {race.write.name!r} writes"
        )


def _repeat(subject: Subject, case: cases.Case) -> str:
    """What differs between runs on many threads, or ""."""
    first: Optional[List[bytes]] = None
    for _ in range(3):
        with training.fresh(subject.host, case.floatx):
            threads = {"intra_op": 4, "inter_op": 8}
            run = training.Training(subject.host, subject.make, case, threads)
            for fed in cases.fed_values(case):
                run.step(fed)
            values = [value.tobytes() for value in run.parameter_values() + run.weights()]
        if first is None:
            first = values
        if values != first:
            return "three runs of the same steps gave different results"
    return ""


def _is_plain(case: cases.Case) -> bool:
    fed = case.problem == "fed gradients" and case.floatx == "float32"
    return fed and not _clips(case) and not case.max_norm and "decay" not in case.arguments


def _is_trajectory(case: cases.Case) -> bool:
    without = not _clips(case) and not case.max_norm and "decay" not in case.arguments
    return without and case.problem in ("fed gradients", "dense net", "extreme values")


CHECKS: Dict[str, Callable[[Context, str], Iterable[CheckResult]]] = {
    "trajectory": _compare_cases(_is_trajectory),
    "decay": _compare_cases(
        lambda c: "decay" in c.arguments and c.problem == "fed gradients" and not _clips(c)
    ),
    "clipping": _compare_cases(_clips),
    "constraints": _compare_cases(lambda case: bool(case.max_norm)),
    "sparse": _compare_cases(lambda case: case.problem == "lookups" and not _clips(case)),
    "resume": _compare_cases(lambda case: case.problem == "resume"),
    "weights_layout": _check_layout,
    "config_round_trip": _check_config,
    "errors": _check_errors,
    "determinism": _check_determinism,
}


# What of each check compares with the reference alone, and trains nothing further.
COMPARED: Dict[str, Callable[[Context, str], Iterable[CheckResult]]] = dict(
    CHECKS, config_round_trip=_compare_configs
)
del COMPARED["determinism"]


def run_checks(
    context: Context,
    checks: Optional[Sequence[str]] = None,
    expected: Optional[Dict[str, str]] = None,
) -> List[CheckResult]:
    """Run checks, all by default.

    Arguments:
        expected: reasons of expected failures, by check or by "check[case]".

    Raises:
        ValueError: If a check is unknown.
    """
    expected = dict(expected or {})
    for name in list(checks or ()) + list(expected):
        if name.partition("[")[0] not in CHECKS:
            raise ValueError(f"Unknown check {name!r}; there are: {', '.join(CHECKS)}.")
    results: List[CheckResult] = []
    for name in checks or CHECKS:
        results += _with_expected(context, name, _run_check(context, name), expected)
    return results


def _run_check(context: Context, name: str) -> List[CheckResult]:
    found: List[CheckResult] = []
    try:
        for result in CHECKS[name](context, name):
            found.append(result)
    except (references.RecordingError, ImportError):
        raise
    except Exception as error:  # the optimizer's, in a case of the check
        text = f"{type(error).__name__}: {short(error)}"
        found.append(context.result(name, "", "different", text))
    return found


def _with_expected(
    context: Context, check: str, found: List[CheckResult], expected: Dict[str, str]
) -> List[CheckResult]:
    """`found`, where failures that are expected are marked, and so are those that did not come."""
    results = list(found)
    for key, reason in expected.items():
        name, _, case = key.partition("[")
        if name != check:
            continue
        case = case.rstrip("]")
        failed = [
            index
            for index, result in enumerate(results)
            # A documented difference is one, too, and fails unless it is allowed.
            if result.status in (*FAILED, "documented") and case in ("", result.case)
        ]
        for index in failed:
            results[index] = results[index]._replace(status="expected", text=reason)
        if not failed:
            text = f"It was expected to fail ({reason}), and it conforms. Remove the expectation."
            results.append(context.result(check, case, "unexpected", text))
    return results
