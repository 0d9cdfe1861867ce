"""Formulas with a kernel are recognised; formulas that only look alike are not."""

import pytest

from keras_optimizers.expressions import Gradient, Scalar, VariableValue, sqrt, square
from keras_optimizers.lowering import patterns
from keras_optimizers.lowering.patterns import Change


def no_tensor(formula):
    raise AssertionError("recognising a formula must not make ops")


PARAMETER, SLOT = VariableValue("parameter", no_tensor), VariableValue("slot", no_tensor)
GRADIENT, RATE, SHARE, EPSILON = Gradient(no_tensor), Scalar(0.1), Scalar(0.9), Scalar(1e-7)


def changes(new_slot, new_parameter):
    return [Change(SLOT, new_slot), Change(PARAMETER, new_parameter)]


def test_momentum_is_one_kernel():
    velocity = SHARE * SLOT - RATE * GRADIENT
    step = patterns.momentum_step(changes(velocity, PARAMETER + velocity))
    assert step.momentum is SHARE and step.scale is RATE and step.gradient is GRADIENT


@pytest.mark.parametrize(
    "kept, added, moved",
    [
        (SHARE * PARAMETER, RATE * GRADIENT, None),  # a share of another variable
        (SHARE * SLOT, RATE * (GRADIENT * SLOT), None),  # the kernel overwrites the slot first
        (SHARE * SLOT, RATE * GRADIENT, SHARE * SLOT),  # the parameter moves by something else
    ],
)
def test_what_looks_like_momentum_is_not(kept, added, moved):
    velocity = kept - added
    new_parameter = PARAMETER + (velocity if moved is None else moved)
    assert patterns.momentum_step(changes(velocity, new_parameter)) is None


def test_adagrad_is_one_kernel():
    total = SLOT + square(GRADIENT)
    new_parameter = PARAMETER - RATE * GRADIENT / (sqrt(total) + EPSILON)
    step = patterns.adagrad_step(changes(total, new_parameter))
    assert step.scale is RATE and step.epsilon is EPSILON and step.gradient is GRADIENT
    assert patterns.is_one_kernel(changes(total, new_parameter))


def test_what_looks_like_adagrad_is_not():
    total = SLOT + square(GRADIENT)
    old_root = PARAMETER - RATE * GRADIENT / (sqrt(SLOT) + EPSILON)
    inside = PARAMETER - RATE * GRADIENT / sqrt(total + EPSILON)
    for new_parameter in (old_root, inside):
        assert patterns.adagrad_step(changes(total, new_parameter)) is None
        assert not patterns.is_one_kernel(changes(total, new_parameter))


def test_a_scaled_quotient_is_taken_apart_without_the_scale():
    scale, quotient = patterns.scaled_quotient(RATE * GRADIENT / SLOT)
    assert scale is RATE and quotient.operands == (GRADIENT, SLOT)
    assert patterns.scaled_quotient(GRADIENT / SLOT) is None


def test_an_increment_has_the_target_first():
    assert patterns.increment_of(PARAMETER, PARAMETER - GRADIENT).value is GRADIENT
    assert patterns.increment_of(PARAMETER, GRADIENT - PARAMETER) is None
    assert patterns.increment_of(PARAMETER, SLOT + GRADIENT) is None


def test_squares_and_magnitudes_are_never_negative():
    assert patterns.is_never_negative(SHARE * square(GRADIENT))
    assert not patterns.is_never_negative(SHARE * GRADIENT)
