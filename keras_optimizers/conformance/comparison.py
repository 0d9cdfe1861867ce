"""Compare what an optimizer did with what it should have done, step by step."""

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from keras_optimizers.conformance.levels import Level, as_floats
from keras_optimizers.conformance.recorder.comparing import ulps_between
from keras_optimizers.conformance.recorder.training import Trace

Difference = NamedTuple(
    "Difference",
    [
        ("step", int),  # from 1
        ("variable", str),
        ("element", Tuple[int, ...]),
        ("got", float),
        ("expected", float),
        ("ulps", float),
        ("absolute", float),
        ("others", List[str]),  # other variables that differ in this step
    ],
)


class Comparison:
    """The outcome of `compare`.

    Attributes:
        case: the name of what was compared.
        level: the demand.
        first: the first difference that the level does not allow; None if there is none.
        layout: what is different about the weights themselves (names, shapes, dtypes).
        ulps, absolute: the largest difference in each step, over all variables.
        steps: how many steps were compared.
    """

    def __init__(self, case: str, level: Level, steps: int) -> None:
        self.case, self.level, self.steps = case, level, steps
        self.first: Optional[Difference] = None
        self.layout: List[str] = []
        self.ulps = [0.0] * steps
        self.absolute = [0.0] * steps

    @property
    def conforms(self) -> bool:
        """Whether all values are within the level. The layout is a check of its own."""
        return self.first is None

    def describe(self) -> str:
        """The first difference in words, and what it suggests."""
        first = self.first
        if first is None:
            return f"{self.steps} steps {self.level}"
        where = f"[{', '.join(map(str, first.element))}]" if first.element else ""
        lines = [
            f"step {first.step} of {self.steps}, {first.variable}{where}: "
            f"got {_number(first.got)}, expected {_number(first.expected)}: "
            f"{_ulps(first.ulps)}, {first.absolute:.3g} absolute ({self.level} is asked for)"
        ]
        if first.others:
            lines.append("in that step also: " + ", ".join(first.others[:4]))
        worst = int(np.argmax(self.absolute))
        lines.append(f"largest later: {self.absolute[worst]:.3g} in step {worst + 1}")
        return "\n".join(lines + [self.suggest()])

    def suggest(self) -> str:
        """A guess at the cause, from where the first difference is."""
        first = self.first
        if first is None:
            return ""
        finite = np.isfinite(first.got) and np.isfinite(first.expected)
        if first.expected and finite and abs(first.got + first.expected) < abs(first.got) * 1e-3:
            return "The value has the opposite sign."
        if first.ulps <= 2 and first.step > 0:
            return "One or two units in the last place: an operation is rounded otherwise."
        when = "" if first.step == 1 else f"; the steps before step {first.step} are equal, so "
        when += "" if first.step == 1 else "look at what depends on the number of steps"
        if first.variable.startswith("parameter"):
            return "The state is equal and the parameter is not: the step's formula differs" + when
        return "The state differs first: look at how it is updated" + when


def compare(trace: Trace, reference: Union[Trace, str], level: Any = None) -> Comparison:
    """Compare a trace with a reference.

    Arguments:
        trace: of `record`.
        reference: a trace of the same case, or the name of a reference that has it.
        level: see `Level.of`.

    Raises:
        ValueError: If the reference is unknown or does not have the case.

    Examples:
        >>> from keras_optimizers import SGD, conformance
        >>> trace = conformance.record(SGD, "sgd_decay")
        >>> conformance.compare(trace, "tf-1.10").conforms
        True
    """
    name = ""
    if isinstance(reference, str):
        from keras_optimizers.conformance.references import load_reference

        found = load_reference(reference)
        name, expected = found.name, found.trace(trace.case)
    else:
        expected = reference
    wanted = Level.of(level, name)
    pairs, layout = match_variables(trace, expected)
    steps = min(len(next(iter(one.arrays.values()))) for one in (trace, expected))
    result = Comparison(trace.case, wanted, steps)
    result.layout = layout
    for step in range(steps):
        _compare_step(result, step, pairs)
    return result


def match_variables(
    trace: Trace, reference: Trace
) -> Tuple[List[Tuple[str, np.ndarray, np.ndarray]], List[str]]:
    """What can be compared: (name, got, expected), the state first; and how layouts differ."""
    pairs, layout = [], []
    mine, theirs = list(trace.weights), list(reference.weights)
    both = [name for name in mine if name in theirs]
    if mine != theirs and len(mine) == len(theirs) and len(both) < len(mine):
        renamed = list(zip(mine, theirs))  # the same number: by position
    else:
        renamed = [(name, name) for name in both]
        layout += [f"{name}: not in the reference" for name in mine if name not in theirs]
        layout += [f"{name}: missing" for name in theirs if name not in mine]
        if not layout and mine != theirs:
            layout.append(f"another order: {', '.join(mine)}; expected {', '.join(theirs)}")
    parameters = [name for name in reference.arrays if name.startswith("parameter")]
    for own, other in renamed + [(name, name) for name in parameters]:
        got, expected = trace.arrays[own], reference.arrays[other]
        if got.shape[1:] != expected.shape[1:]:
            layout.append(f"{own}: shape {got.shape[1:]}, expected {expected.shape[1:]}")
            continue
        if got.dtype != expected.dtype:
            layout.append(f"{own}: {got.dtype.name}, expected {expected.dtype.name}")
            got = got.astype(expected.dtype) if expected.dtype.kind == "f" else got
        pairs.append((own, as_floats(got), as_floats(expected)))
    return pairs, layout


def _compare_step(
    result: Comparison, step: int, pairs: Sequence[Tuple[str, np.ndarray, np.ndarray]]
) -> None:
    found: List[Difference] = []
    for name, of_got, of_expected in pairs:
        got, expected = np.asarray(of_got[step]), np.asarray(of_expected[step])
        if got.dtype != expected.dtype:
            got, expected = got.astype(np.float64), expected.astype(np.float64)
        ulps = ulps_between(got, expected)
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.abs(got.astype(np.float64) - expected.astype(np.float64))
        same = (got == expected) | (np.isnan(got) & np.isnan(expected))
        apart = np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))
        if ulps.size:
            result.ulps[step] = max(result.ulps[step], float(ulps.max()))
            result.absolute[step] = max(result.absolute[step], float(apart.max()))
        if result.first is None and result.level.violations(got, expected).any():
            bad = result.level.violations(got, expected)
            index = np.unravel_index(int(np.argmax(np.where(bad, apart + 1e-300, -1))), bad.shape)
            element = tuple(int(i) for i in index)
            found.append(
                Difference(
                    step + 1,
                    name,
                    element,
                    float(got[element]),
                    float(expected[element]),
                    float(ulps[element]),
                    float(apart[element]),
                    [],
                )
            )
    if found:
        result.first = found[0]._replace(others=[other.variable for other in found[1:]])


def _number(value: float) -> str:
    return f"{value:.9g}"


def _ulps(count: float) -> str:
    if not np.isfinite(count):
        return "NaN on one side"
    return f"{count:.0f} ulp" if count < 1e6 else f"{count:.1e} ulp"
