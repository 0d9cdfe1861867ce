"""One optimizer against one reference: each comparison of a case becomes a result."""

from typing import Any, Callable, List, Optional, Sequence

from keras_optimizers.conformance import references
from keras_optimizers.conformance.comparison import Comparison, compare
from keras_optimizers.conformance.levels import OTHER_SQUARE_ROOTS, Level
from keras_optimizers.conformance.recorder import cases
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
            text = f"{_arguments(case)} fails: {type(error).__name__}: {short(error)}"
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


def short(error: Exception) -> str:
    """The first line of an error's text."""
    return str(error).strip().split("\n")[0][:300]
