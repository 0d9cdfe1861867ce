"""Optimizers' weights as a list: how an era's `get_weights` order becomes state, and back."""

from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.eras.layout import Layout
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.matching import (
    Candidate,
    match_in_order,
    trained,
    unique_names,
)
from keras_optimizers.checkpoint.state import Array, OptimizerState, Parameter


class Weight(NamedTuple):
    """One entry of a list of weights: the era's name of it, and its values."""

    name: str
    array: Array


class Content(NamedTuple):
    """What a list of weights holds."""

    iterations: Optional[int]
    scalars: Dict[str, Any]
    parameters: List[Parameter]
    slots: Dict[str, Dict[str, Array]]


def parse(
    layout: Layout,
    class_name: str,
    options: Dict[str, Any],
    weights: Sequence[Weight],
    candidates: Optional[Sequence[Candidate]],
    path: str,
) -> Content:
    """The state in a list of weights.

    Arguments:
        options: hyperparameters by our names; which slots there are depends on some.
        candidates: the model's variables, in order; None where the file has no model. Then the
            parameters are named by their position.

    Raises:
        CheckpointError: If the list has another layout, or fits the parameters in no one way.
    """
    problems = []
    for variant in _variants(layout, class_name, options, len(weights)):
        try:
            return _parse_variant(layout, class_name, variant, weights, candidates, path)
        except CheckpointError as error:
            problems.append(str(error))
    shapes = [weight.array.shape for weight in weights[:8]]
    raise CheckpointError(
        problems[0]
        if problems
        else f"Cannot read {path!r}: {len(weights)} weights of {class_name}, of shapes {shapes} "
        f"..., are in no layout of {layout.title} that is known."
    )


def inside_loss_scale(weights: List[Weight]) -> Tuple[List[Weight], bool]:
    """The weights without those of a LossScaleOptimizer of Keras 3, and whether it had any.

    Its own count and rate, the steps since the scale changed, and the scale stand before those of
    the optimizer inside, which begin with a count. Keras 3 puts it around the optimizer by itself
    in a model of mixed precision, and then no config says so.
    """
    kinds = [weight.array.dtype.kind for weight in weights[:5] if weight.array.shape == ()]
    if "".join(kinds).replace("u", "i") == "ififi":
        return weights[4:], True
    return weights, False


class _Variant(NamedTuple):
    """One way in which releases of an era ordered their weights.

    `ahead` is the number of groups before the slots, which hold no slots.
    """

    first: List[str]
    roles: List[str]
    last: List[str]
    ahead: int


def _variants(
    layout: Layout, class_name: str, options: Dict[str, Any], count: int
) -> Iterator[_Variant]:
    """The orders that fit a number of weights, the usual first."""
    usual = layouts.scalars(layout, class_name, options)
    last = layouts.last_scalars(layout, class_name)
    role_names = layouts.roles(layout, class_name, options)
    ahead = len(layouts.groups_ahead(layout, options))
    firsts = [usual]
    if class_name == "Nadam":  # 1.14 and 1.15's old class, and ours, have m_schedule
        without = [name for name in usual if name != "m_schedule"]
        firsts += [without, [*without, "m_schedule"]]
    if "iterations" not in usual:  # ours take Keras 2.3's lists
        firsts.append(["iterations", *usual])
    if layout.decay == "schedule":  # whether the learning rate is a weight varies
        firsts += [["iterations"], ["iterations", "learning_rate"]]
    role_variants = [role_names]
    if class_name == "Adam":
        moments = ["first_moment", "second_moment"]
        role_variants += [[*moments, "largest_second_moment"], moments]
    if class_name == "SGD":
        role_variants += [["velocity"], []]
    tried: List[_Variant] = []
    endings: List[List[str]] = [last, []]
    for roles in role_variants:
        for first in firsts:
            for ending in endings:
                variant = _Variant(first, roles, ending, ahead)
                slots, groups = count - len(first) - len(ending), ahead + len(roles)
                fits = slots >= 0 and (slots % groups == 0 if groups else slots == 0)
                if fits and variant not in tried:
                    tried.append(variant)
                    yield variant


def _parse_variant(
    layout: Layout,
    class_name: str,
    variant: _Variant,
    weights: Sequence[Weight],
    candidates: Optional[Sequence[Candidate]],
    path: str,
) -> Content:
    values: Dict[str, Any] = {}
    first, role_names, last, ahead = variant
    end = len(weights) - len(last)
    for name, weight in zip(first + last, [*weights[: len(first)], *weights[end:]]):
        if weight.array.shape != ():
            raise CheckpointError(
                f"Cannot read {path!r}: expected the scalar {name} first, found {weight.name!r} "
                f"of shape {weight.array.shape}."
            )
        if name == "iterations" and weight.array.dtype.kind == "f" and not _looks_counted(weight):
            raise CheckpointError(f"Cannot read {path!r}: {weight.name!r} does not count steps.")
        values[name] = weight.array.read()[()]
    count = (end - len(first)) // (ahead + len(role_names)) if ahead or role_names else 0
    start = len(first) + ahead * count
    arrays = [weight.array for weight in weights[start:end]]
    for weight in weights[start:end]:
        if weight.array.dtype.kind in "iu":  # a count, which another variant has as such
            raise CheckpointError(
                f"Cannot read {path!r}: {weight.name!r} of integers is no slot of {class_name}."
            )
    is_untrained = bool(role_names) and not arrays  # later Kerases make slots in the first step
    role_names = [] if is_untrained else role_names
    by_role = split_by_role(layout, class_name, role_names, arrays)
    shapes = _common_shapes(by_role, weights, path)
    for group in range(ahead):
        of_group = weights[len(first) + group * count : len(first) + (group + 1) * count]
        if role_names and [weight.array.shape for weight in of_group] != shapes:
            raise CheckpointError(
                f"Cannot read {path!r}: the arrays before its optimizer's slots are not of the "
                "parameters' shapes, as moving averages or accumulated gradients would be."
            )
    if candidates is None:
        chosen = [
            Candidate(f"parameter_{index}", array)
            for index, array in enumerate(by_role[role_names[0]] if role_names else [])
        ]
        parameters = [Parameter(one.name, one.array.shape, one.array.dtype.name) for one in chosen]
    else:
        chosen = match_in_order(shapes, candidates, path) if role_names else trained(candidates)
        parameters = [
            candidate.as_parameter(name) for candidate, name in zip(chosen, unique_names(chosen))
        ]
    slots = {
        role: {parameter.name: array for parameter, array in zip(parameters, group)}
        for role, group in by_role.items()
        if role != "largest_second_moment" or not _are_placeholders(group, shapes)
    }
    iterations = values.pop("iterations", None)
    if iterations is not None:
        iterations = _checked_count(iterations, path)
    return Content(iterations, values, parameters, slots)


def initial_slots(
    layout: Layout, class_name: str, config: Dict[str, Any], parameters: Sequence[Parameter]
) -> Dict[str, Dict[str, Array]]:
    """Slots before the first step that are not zero: Adagrad's, in eras with an argument for it.

    Arguments:
        config: the era's own.
    """
    if class_name != "Adagrad" or not layout.accumulator_argument:
        return {}
    value = float(config.get("initial_accumulator_value", 0.1))
    filled = {one.name: Array.filled(one.shape, one.dtype, value) for one in parameters}
    return {"sum_of_squares": filled}


def _looks_counted(weight: Weight) -> bool:
    """The first Keras 2.0 counts in a float; so its name must say it."""
    return "iter" in weight.name.lower()


def _checked_count(value: Any, path: str) -> int:
    number = float(value)
    if not (number >= 0 and number == int(number) and number < 2**62):
        raise CheckpointError(f"Cannot read {path!r}: {value!r} is no number of finished steps.")
    return int(value)


def split_by_role(
    layout: Layout, class_name: str, role_names: Sequence[str], items: List[Any]
) -> Dict[str, List[Any]]:
    """Slots in a layout's order, by role."""
    if not role_names:
        return {}
    alternating = [role for role in role_names if role != "largest_second_moment"]
    apart = [role for role in role_names if role == "largest_second_moment"]
    count = len(items) // len(role_names)
    if class_name not in layout.interleaved:
        return {
            role: items[index * count : (index + 1) * count]
            for index, role in enumerate(role_names)
        }
    size = count * len(alternating)
    dealt = {role: items[index : size : len(alternating)] for index, role in enumerate(alternating)}
    for index, role in enumerate(apart):
        dealt[role] = items[size + index * count : size + (index + 1) * count]
    return dealt


def _common_shapes(
    by_role: Dict[str, List[Array]], weights: Sequence[Weight], path: str
) -> List[Tuple[int, ...]]:
    """The shapes of the parameters, on which all roles must agree."""
    shapes: Optional[List[Tuple[int, ...]]] = None
    for role, arrays in by_role.items():
        own = [array.shape for array in arrays]
        if shapes is None:
            shapes = own
        elif own != shapes and not (
            role == "largest_second_moment" and _are_placeholders(arrays, shapes)
        ):
            raise CheckpointError(
                f"Cannot read {path!r}: its {len(weights)} optimizer weights do not form groups "
                f"of equal shapes (slots of the role {role} differ from the others)."
            )
    return shapes or []


def _are_placeholders(arrays: Sequence[Array], shapes: Sequence[Tuple[int, ...]]) -> bool:
    """Whether they are what Adam without AMSGrad keeps in the third group: unused, shape (1,)."""
    return all(array.shape == (1,) for array in arrays) and any(shape != (1,) for shape in shapes)


def arrange(layout: Layout, state: OptimizerState) -> List[Weight]:
    """The state as a list of weights in a layout's order, named as that era names them."""
    options = state.hyperparameters
    first, last = (
        [
            Weight(layouts.scalar_name(layout, state.class_name, name), _scalar(state, name))
            for name in names
        ]
        for names in (
            layouts.scalars(layout, state.class_name, options),
            layouts.last_scalars(layout, state.class_name),
        )
    )
    role_names, count = layouts.roles(layout, state.class_name, options), len(state.parameters)
    groups = [
        [
            Weight(
                layouts.slot_name(
                    layout, state.class_name, role, parameter.name, group * count + index
                ),
                _slot(state, role, parameter),
            )
            for index, parameter in enumerate(state.parameters)
        ]
        for group, role in enumerate(role_names)
    ]
    return first + join_roles(layout, state.class_name, role_names, groups) + last


def join_roles(
    layout: Layout, class_name: str, role_names: Sequence[str], groups: Sequence[List[Any]]
) -> List[Any]:
    """Groups, one a role, in a layout's order: the inverse of `split_by_role`."""
    if class_name not in layout.interleaved:
        return [item for group in groups for item in group]
    alternating = [g for role, g in zip(role_names, groups) if role != "largest_second_moment"]
    apart = [g for role, g in zip(role_names, groups) if role == "largest_second_moment"]
    dealt = [item for of_parameter in zip(*alternating) for item in of_parameter]
    return dealt + [item for group in apart for item in group]


def _scalar(state: OptimizerState, name: str) -> Array:
    if name == "iterations":
        return Array.of(np.asarray(state.iterations or 0, np.int64))
    if name == "learning_rate":
        return Array.of(np.asarray(state.hyperparameters["lr"], np.float32))
    return Array.of(np.asarray(state.scalars[name], np.float32))


def _slot(state: OptimizerState, role: str, parameter: Parameter) -> Array:
    """A slot; zeros where the source has none, a placeholder for AMSGrad's where that is off."""
    found = state.slots.get(role, {}).get(parameter.name)
    if role == "largest_second_moment" and not state.hyperparameters.get("amsgrad"):
        return Array.filled((1,), parameter.dtype, 0)
    return Array.filled(parameter.shape, parameter.dtype, 0) if found is None else found
