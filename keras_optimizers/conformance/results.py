"""What came out of a check on a case, and all results of a run together."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from keras_optimizers.conformance.comparison import Comparison
from keras_optimizers.conformance.recorder.cases import CASES

# From good to bad; what each means is what the report prints as its key.
STATUSES = {
    "equal": "conforms at the level that is asked for",
    "explained": "differs as far as square roots explain, which are not the recording's here",
    "documented": "differs from the reference exactly as TensorFlow's own old classes do",
    "skipped": "the reference cannot say",
    "expected": "fails, and that was expected",
    "different": "differs",
    "unexpected": "conforms, and a failure was expected",
}
FAILED = ("different", "unexpected")

CheckResult = NamedTuple(
    "CheckResult",
    [
        ("optimizer", str),
        ("reference", str),
        ("check", str),
        ("case", str),
        ("status", str),
        ("text", str),  # what differs, in words
        ("ulps", List[float]),  # the largest difference in each step
        ("absolute", List[float]),
        ("reproduce", str),  # one line that shows it again
    ],
)


def make_result(
    optimizer: str,
    reference: str,
    check: str,
    case: str,
    status: str,
    text: str = "",
    comparison: Optional[Comparison] = None,
    reproduce: str = "",
) -> CheckResult:
    """A result, with the curve of a comparison."""
    ulps = list(comparison.ulps) if comparison else []
    absolute = list(comparison.absolute) if comparison else []
    return CheckResult(optimizer, reference, check, case, status, text, ulps, absolute, reproduce)


def name_of(result: CheckResult) -> str:
    """The case, with the optimizer where the case's name does not say it."""
    return result.case if result.case in CASES else f"{result.optimizer} {result.case}"


def failures(results: Sequence[CheckResult], strict: bool = False) -> List[CheckResult]:
    """The results that make a run fail; with `strict` documented differences do, too."""
    bad = FAILED + (("documented",) if strict else ())
    return [result for result in results if result.status in bad]


def as_text(results: Sequence[CheckResult], most: int = 3) -> str:
    """The results that failed, the first `most` in full."""
    blocks = []
    for result in results[:most]:
        title = f"{result.optimizer}, {result.check}" + (f", {result.case}" if result.case else "")
        lines = [f"{title} ({result.reference}):"]
        lines += ["  " + line for line in result.text.splitlines()]
        if result.reproduce:
            lines.append("  again: " + result.reproduce)
        blocks.append("\n".join(lines))
    if len(results) > most:
        blocks.append(
            f"and {len(results) - most} more: "
            + ", ".join(f"{r.check} {r.case}".strip() for r in results[most : most + 12])
        )
    return "\n".join(blocks)


def table(results: Sequence[CheckResult]) -> str:
    """Optimizers and references by checks: in each cell how many cases are what."""
    checks = _unique([result.check for result in results])
    rows = _unique([(result.optimizer, result.reference) for result in results])
    cells: Dict[Any, List[CheckResult]] = {}
    for result in results:
        cells.setdefault((result.optimizer, result.reference, result.check), []).append(result)
    header = ["optimizer", "reference"] + [check.replace("_", " ") for check in checks]
    lines = [header]
    for optimizer, reference in rows:
        line = [optimizer, reference]
        for check in checks:
            line.append(cell_text(cells.get((optimizer, reference, check), [])))
        lines.append(line)
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines
    )


def cell_text(of_cell: Sequence[CheckResult]) -> str:
    """Such as "12", "10 +2 doc." or "3 of 12 DIFFER"."""
    count = {name: sum(r.status == name for r in of_cell) for name in STATUSES}
    bad = count["different"] + count["unexpected"]
    if bad:
        return f"{bad} of {len(of_cell)} DIFFER"
    words = [str(count["equal"])] if count["equal"] else []
    for name, short in (("explained", "expl."), ("documented", "doc."), ("expected", "expected")):
        if count[name]:
            words.append(f"{count[name]} {short}")
    return " + ".join(words) or "-"


def _unique(values: Sequence[Any]) -> List[Any]:
    return list(dict.fromkeys(values))
