"""The named checks. Each runs some cases of an optimizer and says what differs."""

import re
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence

from keras_optimizers.conformance import references
from keras_optimizers.conformance.comparison import Comparison, compare
from keras_optimizers.conformance.levels import OTHER_SQUARE_ROOTS, Level
from keras_optimizers.conformance.recorder import cases, training
from keras_optimizers.conformance.results import FAILED, CheckResult, make_result
from keras_optimizers.conformance.subject import Subject

Progress = Callable[[str], None]


class Context:
    """One optimizer against one reference at one level.

    Arguments:
        only: names of cases; the default is all that apply.
        progress: is told which case comes next.
    """

    def __init__(
        self,
        subject: Subject,
        reference: str,
        level: Any = None,
        only: Optional[Sequence[str]] = None,
        progress: Optional[Progress] = None,
    ) -> None:
        subject.check()
        self.subject, self.level_given, self.only = subject, level, only
        self.reference = references.load_reference(reference, subject.square_roots)
        self.level = Level.of(level, self.reference.name)
        self._progress = progress or (lambda text: None)
        if not subject.class_name and self.reference.name in references.names():
            raise ValueError(
                f"{subject.name} is no class that {self.reference.name} has. Say which one it "
                f"must equal (class_name=..., --class: one of {', '.join(cases.CLASS_NAMES)}), or "
                "record it and compare it with its own recording (--record)."
            )
        for name in only or ():
            if name not in cases.CASES and name not in cases.CUSTOM_CASES:
                raise ValueError(f"Unknown case {name!r}; --list shows them all.")

    def chosen(self, wanted: Callable[[cases.Case], bool]) -> List[cases.Case]:
        """The subject's cases for which `wanted` holds."""
        return [
            case
            for name, case in self.subject.own_cases().items()
            if wanted(case) and (not self.only or name in self.only)
        ]

    def result(
        self,
        check: str,
        case: str,
        status: str,
        text: str = "",
        comparison: Optional[Comparison] = None,
    ) -> CheckResult:
        """A result with the line that shows it again."""
        again = ""
        if status in FAILED:
            again = self.reproduce(check, case)
        name, reference = self.subject.name, self.reference.name
        return make_result(name, reference, check, case, status, text, comparison, again)

    def reproduce(self, check: str, case: str) -> str:
        """A command, or for a factory that no command finds, a call."""
        subject = self.subject
        reference = self.reference.path if "@" not in self.reference.path else ""
        if self.reference.name in references.names() or not reference:
            reference = self.reference.name
        path = subject.path()
        known = case in cases.CASES or case in cases.CUSTOM_CASES
        level = "" if self.level_given is None else str(self.level_given)
        stands_for = subject.class_name if subject.class_name != subject.name else ""
        if path:
            line = f"keras-optimizers conformance {path} --reference {reference} --check {check}"
            line += f" --case {case}" if known else ""
            line += f" --class {stands_for}" if stands_for else ""
            line += " --host keras" if subject.host_name == "keras" else ""
            return line + (f" --level '{level}'" if level else "")
        line = f"assert_conforms({subject.name}, {reference!r}, checks=[{check!r}]"
        line += f", cases=[{case!r}]" if known else ""
        line += f", class_name={stands_for!r}" if stands_for else ""
        line += ", host='keras'" if subject.host_name == "keras" else ""
        return line + (f", level={level!r})" if level else ")")

    def run_case(self, check: str, case: cases.Case) -> CheckResult:
        """Compare every step of a case with the reference."""
        self._progress(f"{self.subject.name} {check} {case.name}")
        if case.name not in self.reference.case_names():
            text = f"{self.reference.name} has no such case"
            return self.result(check, case.name, "skipped", text)
        refused = self.reference.refusal(case.name)
        error: Optional[Exception] = None
        trace: Any = None
        try:
            trace = self.subject.trace(case)
        except Exception as raised:
            error = raised
        if error is not None:
            if refused:
                return self.result(check, case.name, "equal", "both refuse these arguments")
            text = f"{_arguments(case)} fails: {type(error).__name__}: {_short(error)}"
            return self.result(check, case.name, "different", text)
        if refused:
            text = f"the reference refuses {_arguments(case)}: {refused[0]}: {refused[1][:200]}"
            status = "documented" if self._as_ours(trace, case) else "different"
            return self.result(check, case.name, status, text)
        expected = self.reference.trace(case.name)
        found = compare(trace, expected, self.level)
        if found.conforms:
            return self.result(check, case.name, "equal", "", found)
        other_roots = self._other_square_roots(self.reference)
        if other_roots:
            for other in references.traces_of_other_processors(self.reference.name, case.name):
                if compare(trace, other, self.level).conforms:
                    text = "equal to the recording of another processor"
                    return self.result(check, case.name, "equal", text, found)
        text = f"{_arguments(case)}, problem {case.problem!r}\n{found.describe()}"
        status = "different"
        if other_roots and _roughly(trace, expected):
            status = "explained"
            text = "float32 square roots are not the recording's here: " + text
        elif self._as_ours(trace, case):
            status = "documented"
            text = "as TensorFlow's own old classes do, it differs: " + text
        return self.result(check, case.name, status, text, found)

    def _other_square_roots(self, reference: Any) -> bool:
        recorded = reference.facts.get("square_roots")
        return bool(recorded) and recorded != self.subject.square_roots

    def _as_ours(self, trace: Any, case: cases.Case) -> bool:
        """Whether it does what TensorFlow's own old classes were recorded to do."""
        return any(self._equals(ours, trace, case) for ours in self.ours())

    def _equals(self, ours: Any, trace: Any, case: cases.Case) -> bool:
        if case.name not in ours.case_names() or ours.refusal(case.name):
            return False
        expected = ours.trace(case.name)
        if compare(trace, expected, self.level).conforms:
            return True
        return self._other_square_roots(ours) and _roughly(trace, expected)

    def ours(self) -> List[Any]:
        """The recordings of the old classes inside TensorFlow 1.15, and 2.15 if its roots are here.

        Without those that cannot excuse anything: the reference itself, and all where they have no
        class that the subject stands for.
        """
        if not self.subject.class_name:
            return []
        roots = self.subject.square_roots
        found = [references.load_reference(references.OURS, roots)]
        newer = references.load_reference(references.OURS_ON_TENSORFLOW_2)
        if newer.facts.get("square_roots") == roots:
            found.append(newer)
        return [ours for ours in found if ours.name != self.reference.name]

    def by_reference(self, check: str, case: str, differs: Callable[[Any], str]) -> CheckResult:
        """A result of `differs(reference)`, which says in words what differs, or ""."""
        text = differs(self.reference)
        if not text:
            return self.result(check, case, "equal")
        as_ours = any(not differs(ours) for ours in self.ours())
        return self.result(check, case, "documented" if as_ours else "different", text)


def _roughly(trace: Any, expected: Any) -> bool:
    return compare(trace, expected, Level("tolerance", OTHER_SQUARE_ROOTS)).conforms


def _arguments(case: cases.Case) -> str:
    inside = ", ".join(f"{name}={value!r}" for name, value in sorted(case.arguments.items()))
    more = "" if case.floatx == "float32" else f" in {case.floatx}"
    more += f" with max_norm {case.max_norm:g}" if case.max_norm else ""
    return f"{case.class_name or 'factory'}({inside}){more}"


def _short(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]


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
        return f"from_config(get_config()) fails: {type(error).__name__}: {_short(error)}"
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
        text = f"{type(error).__name__}: {_short(error)}"
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
