"""Would two states take the same next step? Computed in NumPy, on seeded gradients."""

import zlib
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from keras_optimizers.checkpoint import mathematics
from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.state import OptimizerState, Parameter

DEFAULT_SEED = 1
# Rewritten quantities (a rate that contains its decay, say) round differently by this much.
DEFAULT_TOLERANCE = 4.0


class Difference(NamedTuple):
    """How far two states are apart in one array.

    Attributes:
        role: "parameter", or the role of a slot.
        parameter: its name.
        before: largest difference of the stored arrays, in units in the last place; NaN where
            one of the two states has none.
        after: the same after the next step.
        largest: the largest absolute difference after the step.
    """

    role: str
    parameter: str
    before: float
    after: float
    largest: float


class Comparison(NamedTuple):
    """All differences, and what could not be compared."""

    differences: List[Difference]
    problems: List[str]

    @property
    def largest_in_ulp(self) -> float:
        """Over all arrays, after the step."""
        return max((one.after for one in self.differences), default=0.0)

    @property
    def largest(self) -> float:
        """Largest absolute difference of a parameter after the step."""
        of_parameters = [one.largest for one in self.differences if one.role == "parameter"]
        return max(of_parameters, default=0.0)

    def is_same(self, tolerance: float = DEFAULT_TOLERANCE) -> bool:
        """Whether both take the same step, within `tolerance` units in the last place."""
        return not self.problems and self.largest_in_ulp <= tolerance


def compare(
    one: OptimizerState,
    other: OptimizerState,
    seed: int = DEFAULT_SEED,
    sample: Optional[int] = None,
    progress: Any = None,
) -> Comparison:
    """Take the next step of both states with the same gradients, and compare.

    Arguments:
        seed: of the gradients, and of the parameters where a state holds none.
        sample: look at no more than this many elements of each parameter; None for all.
        progress: called with (parameters done, parameters in all).
    """
    problems = _problems(one, other)
    differences: List[Difference] = []
    pairs = _pairs(one, other, problems)
    norms = _global_norms(one, other, pairs, seed, sample)
    for number, (first, second) in enumerate(pairs):
        differences += _compare_parameter(
            (one, first), (other, second), norms, seed + number, sample
        )
        if progress is not None:
            progress(number + 1, len(pairs))
    return Comparison(differences, problems)


def _problems(one: OptimizerState, other: OptimizerState) -> List[str]:
    problems = []
    if one.class_name != other.class_name:
        problems.append(f"The classes differ: {one.class_name} and {other.class_name}.")
    needed = mathematics.depends_on_iterations(one) or mathematics.depends_on_iterations(other)
    for state in (one, other):
        if needed and state.iterations is None:
            problems.append(f"{_name(state)} does not hold iterations; 0 was assumed.")
    if _schedule(one) != _schedule(other):
        problems.append(
            "The learning rates are different schedules, which are not computed: "
            f"{_schedule(one)} and {_schedule(other)}."
        )
    if one.class_name == other.class_name and (one.has_embeddings or other.has_embeddings):
        treatments = {
            layouts.treatment_of_rows(
                state.provenance.format, state.class_name, state.hyperparameters
            )
            for state in (one, other)
        }
        if len(treatments) > 1:
            problems.append(
                "The model has an Embedding, and the two eras treat its rows differently, which "
                "these gradients, of all rows, do not show; `migrate --dry-run` says how."
            )
    return problems


def _schedule(state: OptimizerState) -> Optional[Tuple[str, Dict[str, Any]]]:
    """A learning-rate schedule, without what eras write differently; None where there is none."""
    schedule = state.hyperparameters.get("learning_rate_schedule")
    if schedule is None:
        return None
    config = {
        key: value
        for key, value in schedule.get("config", {}).items()
        if key != "name" and value is not None
    }
    return str(schedule.get("class_name")).split(">")[-1], config


def _name(state: OptimizerState) -> str:
    return state.provenance.path or "The state"


def _pairs(
    one: OptimizerState, other: OptimizerState, problems: List[str]
) -> List[Tuple[Parameter, Parameter]]:
    """The parameters of both: by name where the names are the same, else in order."""
    by_name = {parameter.name: parameter for parameter in other.parameters}
    if {parameter.name for parameter in one.parameters} == set(by_name):
        pairs = [(parameter, by_name[parameter.name]) for parameter in one.parameters]
    else:
        pairs = list(zip(one.parameters, other.parameters))
    if len(one.parameters) != len(other.parameters):
        counts = f"{len(one.parameters)} and {len(other.parameters)}"
        problems.append(f"The numbers of parameters differ: {counts}.")
    unequal = [pair for pair in pairs if pair[0].shape != pair[1].shape]
    for first, second in unequal:
        problems.append(f"The shapes of {first.name} differ: {first.shape} and {second.shape}.")
    return [pair for pair in pairs if pair not in unequal]


def _global_norms(
    one: OptimizerState,
    other: OptimizerState,
    pairs: List[Tuple[Parameter, Parameter]],
    seed: int,
    sample: Optional[int],
) -> Optional[float]:
    """The norm of all gradients together, where one of the states needs it."""
    if not any(state.hyperparameters.get("global_clipnorm") for state in (one, other)):
        return None
    total = 0.0
    for number, (first, _) in enumerate(pairs):
        total += float(np.sum(np.square(_gradient(first, seed + number, sample), dtype=np.float64)))
    return float(np.sqrt(total))


def _gradient(parameter: Parameter, seed: int, sample: Optional[int]) -> np.ndarray:
    size = int(np.prod(parameter.shape, dtype=np.int64))
    count = size if sample is None else min(size, sample)
    values = np.random.RandomState(seed).standard_normal(count) * 0.1
    return values.astype(_floating(parameter.dtype))


def _floating(dtype: str) -> np.dtype:
    found = np.dtype(dtype)
    if found.kind != "f":
        raise CheckpointError(f"Expected parameters of a floating dtype, received {dtype}.")
    return found


def _values(array: Any, sample: Optional[int], dtype: str) -> np.ndarray:
    values = np.ravel(array.read())
    return np.array(values[:sample] if sample is not None else values, _floating(dtype))


def _compare_parameter(
    left: Tuple[OptimizerState, Parameter],
    right: Tuple[OptimizerState, Parameter],
    global_norm: Optional[float],
    seed: int,
    sample: Optional[int],
) -> Iterator[Difference]:
    stored, stepped = [], []
    for state, parameter in (left, right):
        slots = {
            role: _values(arrays[parameter.name], sample, parameter.dtype)
            for role, arrays in state.slots.items()
            if parameter.name in arrays
        }
        gradient = _gradient(left[1], seed, sample).astype(parameter.dtype)
        value = _value(parameter, left[1], seed, sample)
        gradient = mathematics.clip(state, gradient, global_norm)
        with np.errstate(all="ignore"):
            moved, updated = mathematics.step(state, value, gradient, slots)
        stored.append(dict(slots, parameter=value))
        stepped.append(dict(updated, parameter=moved))
    roles = [role for role in mathematics.roles_read(left[0]) if role in stepped[0]]
    for role in ["parameter"] + [role for role in roles if role in stepped[1]]:
        before = [held.get(role) for held in stored]
        yield Difference(
            role,
            left[1].name,
            _ulp(before[0], before[1])
            if before[0] is not None and before[1] is not None
            else float("nan"),
            _ulp(stepped[0][role], stepped[1][role], before[0]),
            _largest(stepped[0][role], stepped[1][role]),
        )


def _value(parameter: Parameter, named: Parameter, seed: int, sample: Optional[int]) -> np.ndarray:
    if parameter.value is not None:
        return _values(parameter.value, sample, parameter.dtype)
    name = zlib.crc32(named.name.encode("utf-8"))
    random = np.random.RandomState((seed + name) % 2**32)
    size = _gradient(named, seed, sample).size
    return random.standard_normal(size).astype(_floating(parameter.dtype))


def _ulp(left: np.ndarray, right: np.ndarray, scale: Optional[np.ndarray] = None) -> float:
    """Largest difference in units in the last place of the larger value.

    Arguments:
        scale: values before the step: a difference is not larger because the step led near zero.
    """
    if not left.size:
        return 0.0
    with np.errstate(all="ignore"):
        a, b = left.astype(np.float64), right.astype(np.float64)
        size = np.maximum(np.abs(left), np.abs(right).astype(left.dtype))
        if scale is not None:
            size = np.maximum(size, np.abs(scale))
        spacing = np.spacing(size).astype(np.float64)
        difference = np.abs(a - b) / np.where(spacing > 0, spacing, 1)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    difference = np.where(same, 0.0, difference)
    return float(np.max(np.where(np.isnan(difference), np.inf, difference)))


def _largest(left: np.ndarray, right: np.ndarray) -> float:
    if not left.size:
        return 0.0
    with np.errstate(all="ignore"):
        difference = np.abs(left.astype(np.float64) - right.astype(np.float64))
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    difference = np.where(same, 0.0, difference)
    return float(np.max(np.where(np.isnan(difference), np.inf, difference)))


def by_role(comparison: Comparison) -> Dict[str, Difference]:
    """For each role the array that differs most."""
    worst: Dict[str, Difference] = {}
    for one in comparison.differences:
        if one.role not in worst or one.after > worst[one.role].after:
            worst[one.role] = one
    return worst
