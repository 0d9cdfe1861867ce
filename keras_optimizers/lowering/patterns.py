"""Recognises formulas for which there is a kernel. Makes no ops."""

from typing import Any, NamedTuple, Optional, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import (
    ADD,
    DIVIDE,
    MAGNITUDE,
    MULTIPLY,
    ROOT,
    SQUARE,
    SUBTRACT,
    Expression,
    Scalar,
    VariableValue,
)


class Change(NamedTuple):
    """The new value of a variable, as a formula."""

    target: VariableValue
    value: Expression


class Scaled(NamedTuple):
    """`scale * value`."""

    scale: Scalar
    value: Expression


class OverRoot(NamedTuple):
    """`scale * numerator / (sqrt(under_root) + epsilon)`."""

    scale: Scalar
    numerator: Expression
    under_root: Expression
    epsilon: Scalar


class MomentumStep(NamedTuple):
    """`slot = momentum * slot - scale * gradient`, then `parameter += slot`."""

    momentum: Scalar
    scale: Scalar
    gradient: Expression


class AdagradStep(NamedTuple):
    """`slot += gradient ** 2`, then `parameter -= scale * gradient / (sqrt(slot) + epsilon)`."""

    scale: Scalar
    epsilon: Scalar
    gradient: Expression


class Increment(NamedTuple):
    """`target + value` or, with the operator SUBTRACT, `target - value`."""

    operator: str
    value: Expression


# One formula.


def scaled(formula: Expression) -> Optional[Scaled]:
    """The two factors of a scalar times something."""
    if formula.operator == MULTIPLY:
        first, second = formula.operands
        if isinstance(first, Scalar):
            return Scaled(first, second)
        if isinstance(second, Scalar):
            return Scaled(second, first)
    return None


def scaled_quotient(formula: Expression) -> Optional[Scaled]:
    """Of `scale * x / y` the factors `scale` and `x / y`, which round differently together."""
    if formula.operator == DIVIDE:
        above = scaled(formula.operands[0])
        if above is not None:
            return Scaled(above.scale, Expression(DIVIDE, above.value, formula.operands[1]))
    return None


def over_root(formula: Expression) -> Optional[OverRoot]:
    """The parts of a scaled numerator over a root plus epsilon."""
    if formula.operator == DIVIDE:
        above, below = formula.operands
        factors = scaled(above)
        if factors is not None and below.operator == ADD:
            root, epsilon = below.operands
            if root.operator == ROOT and isinstance(epsilon, Scalar):
                return OverRoot(factors.scale, factors.value, root.operands[0], epsilon)
    return None


def is_share_of(target: VariableValue, formula: Expression) -> bool:
    """Whether `formula` is a scalar times `target`."""
    factors = scaled(formula)
    return factors is not None and factors.value is target


def is_sum_on(target: VariableValue, formula: Expression) -> bool:
    """Whether `formula` is `target` plus or minus something that does not contain it."""
    return (
        formula.operator in (ADD, SUBTRACT)
        and formula.operands[0] is target
        and not contains(formula.operands[1], target)
    )


def increment_of(target: VariableValue, formula: Expression) -> Optional[Increment]:
    """What `formula` adds to `target` as its first operand, or subtracts from it."""
    if formula.operator in (ADD, SUBTRACT) and formula.operands[0] is target:
        return Increment(formula.operator, formula.operands[1])
    return None


def is_never_negative(formula: Expression) -> bool:
    """Whether `formula` is a square or a magnitude, perhaps times a scalar."""
    if formula.operator == MULTIPLY and isinstance(formula.operands[0], Scalar):
        formula = formula.operands[1]
    return formula.operator in (SQUARE, MAGNITUDE)


def can_be_zero(divisor: Expression, dtype: Any) -> bool:
    """Whether a divisor can be zero in a row that no batch has touched: 0 / 0 is not zero.

    That is so unless it has a positive number added to it, as most have their epsilon. Tensors
    without dimensions, such as a learning rate, are taken as not zero.

    Arguments:
        dtype: the parameter's, in which a small number may be zero.
    """
    if isinstance(divisor, Scalar):
        return not tf.is_tensor(divisor.value) and _is_zero(divisor.value, dtype)
    parts = [can_be_zero(operand, dtype) for operand in divisor.operands]
    if divisor.operator == DIVIDE:
        return parts[0]
    if divisor.operator == MULTIPLY:
        return any(parts)
    return all(parts)  # also where there are none: a slot


def _is_zero(number: Any, dtype: Any) -> bool:
    """Whether TensorFlow computes with a number as with zero."""
    kind = tf.as_dtype(dtype).as_numpy_dtype
    # float16 is computed in float32; otherwise the smallest numbers are flushed to zero on a CPU.
    smallest = 0 if kind == np.float16 else np.finfo(kind).tiny
    return abs(float(kind(number))) <= smallest * (1 - 1e-3)


def contains(formula: Expression, *leaves: VariableValue) -> bool:
    """Whether one of `leaves` occurs in `formula`."""
    return any(node is leaf for node in formula.nodes() for leaf in leaves)


# All changes of a step together: those of the slots, then that of the parameter.


def momentum_step(changes: Sequence[Change]) -> Optional[MomentumStep]:
    """The arguments of momentum's kernel, if `changes` are what it does."""
    if len(changes) != 2:
        return None
    (slot, new_slot), (parameter, new_parameter) = changes
    if new_slot.operator != SUBTRACT or new_parameter.operator != ADD:
        return None
    kept, added = map(scaled, new_slot.operands)
    if (
        kept is not None
        and added is not None
        and kept.value is slot
        and not contains(added.value, slot, parameter)
        and new_parameter.operands == (parameter, new_slot)
    ):
        return MomentumStep(kept.scale, added.scale, added.value)
    return None


def adagrad_step(changes: Sequence[Change]) -> Optional[AdagradStep]:
    """The arguments of Adagrad's kernel, if `changes` are what it does."""
    if len(changes) != 2:
        return None
    (slot, new_slot), (parameter, new_parameter) = changes
    if new_slot.operator != ADD or new_parameter.operator != SUBTRACT:
        return None
    ratio = over_root(new_parameter.operands[1])
    if (
        ratio is not None
        and new_parameter.operands[0] is parameter
        and new_slot.operands[0] is slot
        and new_slot.operands[1].operator == SQUARE
        and new_slot.operands[1].operands[0] is ratio.numerator
        and ratio.under_root is new_slot
        and not contains(ratio.numerator, slot, parameter)
    ):
        return AdagradStep(ratio.scale, ratio.epsilon, ratio.numerator)
    return None


def is_one_kernel(changes: Sequence[Change]) -> bool:
    """Whether one kernel does all `changes`."""
    return momentum_step(changes) is not None or adagrad_step(changes) is not None
