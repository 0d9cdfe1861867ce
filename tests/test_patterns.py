"""Formulas with a kernel are recognised; formulas that only look alike are not."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from keras_optimizers.expressions import (
    Gradient,
    Scalar,
    VariableValue,
    absolute,
    sqrt,
    square,
)
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
        (SHARE * SLOT, RATE * (GRADIENT * PARAMETER), None),  # which the kernel moves
        (SHARE * SLOT, RATE * GRADIENT, SHARE * SLOT),  # the parameter moves by something else
        (SHARE * SLOT, GRADIENT, None),  # no scale
        (square(SLOT), RATE * GRADIENT, None),
    ],
)
def test_what_looks_like_momentum_is_not(kept, added, moved):
    velocity = kept - added
    new_parameter = PARAMETER + (velocity if moved is None else moved)
    assert patterns.momentum_step(changes(velocity, new_parameter)) is None


def test_momentum_s_signs_are_the_kernel_s():
    velocity = SHARE * SLOT - RATE * GRADIENT
    assert patterns.momentum_step(changes(velocity, PARAMETER - velocity)) is None
    assert patterns.momentum_step(changes(velocity, velocity + PARAMETER)) is None
    sum_of_both = SHARE * SLOT + RATE * GRADIENT
    assert patterns.momentum_step(changes(sum_of_both, PARAMETER + sum_of_both)) is None


def test_a_kernel_takes_one_slot_and_the_parameter():
    velocity, total = SHARE * SLOT - RATE * GRADIENT, SLOT + square(GRADIENT)
    by_root = PARAMETER - RATE * GRADIENT / (sqrt(total) + EPSILON)
    for two in (changes(velocity, PARAMETER + velocity), changes(total, by_root)):
        assert patterns.is_one_kernel(two)
        for other in (two[:1], two + two[:1], []):
            assert patterns.momentum_step(other) is None and patterns.adagrad_step(other) is None
            assert not patterns.is_one_kernel(other)


def test_adagrad_is_one_kernel():
    total = SLOT + square(GRADIENT)
    new_parameter = PARAMETER - RATE * GRADIENT / (sqrt(total) + EPSILON)
    step = patterns.adagrad_step(changes(total, new_parameter))
    assert step.scale is RATE and step.epsilon is EPSILON and step.gradient is GRADIENT
    assert patterns.is_one_kernel(changes(total, new_parameter))


def adagrad(total, numerator=GRADIENT, under_root=None, moved=PARAMETER):
    root = sqrt(total if under_root is None else under_root)
    return changes(total, moved - RATE * numerator / (root + EPSILON))


TOTAL = SLOT + square(GRADIENT)
OTHER = VariableValue("other", no_tensor)


@pytest.mark.parametrize(
    "both",
    [
        adagrad(TOTAL, under_root=SLOT),  # the old slot is under the root
        changes(TOTAL, PARAMETER - RATE * GRADIENT / sqrt(TOTAL + EPSILON)),
        changes(TOTAL, PARAMETER + RATE * GRADIENT / (sqrt(TOTAL) + EPSILON)),
        changes(TOTAL, PARAMETER - GRADIENT / (sqrt(TOTAL) + EPSILON)),  # no scale
        adagrad(SLOT - square(GRADIENT)),
        adagrad(OTHER + square(GRADIENT)),
        adagrad(square(GRADIENT) + SLOT),
        adagrad(SLOT + sqrt(GRADIENT)),
        adagrad(TOTAL, numerator=OTHER),
        adagrad(TOTAL, moved=OTHER),
        adagrad(SLOT + square(SLOT), numerator=SLOT),  # the kernel overwrites it first
        adagrad(SLOT + square(PARAMETER), numerator=PARAMETER),
    ],
)
def test_what_looks_like_adagrad_is_not(both):
    assert patterns.adagrad_step(both) is None
    assert not patterns.is_one_kernel(both)


def test_a_scalar_is_found_on_both_sides_of_a_product_alone():
    assert patterns.scaled(RATE * GRADIENT) == (RATE, GRADIENT)
    assert patterns.scaled(GRADIENT * RATE) == (RATE, GRADIENT)
    for formula in (GRADIENT, GRADIENT * SLOT, RATE + GRADIENT, GRADIENT / RATE):
        assert patterns.scaled(formula) is None


def test_a_ratio_over_a_root_has_epsilon_beside_the_root():
    assert patterns.over_root(RATE * GRADIENT / (sqrt(SLOT) + EPSILON)) == (
        RATE,
        GRADIENT,
        SLOT,
        EPSILON,
    )
    for divisor in (sqrt(SLOT) - EPSILON, square(SLOT) + EPSILON, sqrt(SLOT) + GRADIENT, SLOT):
        assert patterns.over_root(RATE * GRADIENT / divisor) is None
    assert patterns.over_root(GRADIENT / (sqrt(SLOT) + EPSILON)) is None
    assert patterns.over_root(RATE * GRADIENT * (sqrt(SLOT) + EPSILON)) is None


def test_a_share_and_a_sum_on_a_variable():
    assert patterns.is_share_of(SLOT, SHARE * SLOT)
    assert not patterns.is_share_of(SLOT, SHARE * PARAMETER)
    assert not patterns.is_share_of(SLOT, SLOT + SHARE)
    assert patterns.is_sum_on(SLOT, SLOT + GRADIENT) and patterns.is_sum_on(SLOT, SLOT - GRADIENT)
    for formula in (GRADIENT + SLOT, SLOT * GRADIENT, SLOT + SHARE * SLOT, PARAMETER + GRADIENT):
        assert not patterns.is_sum_on(SLOT, formula)


def test_a_leaf_is_found_anywhere_in_a_formula():
    formula = RATE * sqrt(SLOT + GRADIENT)
    assert patterns.contains(formula, SLOT) and patterns.contains(formula, PARAMETER, SLOT)
    assert patterns.contains(SLOT, SLOT) and not patterns.contains(formula, PARAMETER)


FLOATS = ("float16", "float32", "float64")


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_divisor_can_be_zero_unless_a_positive_number_is_added(dtype):
    def can_be(divisor):
        return patterns.can_be_zero(divisor, dtype)

    assert can_be(SLOT) and can_be(sqrt(SLOT)) and can_be(Scalar(0.0)) and can_be(Scalar(-0.0))
    assert not can_be(Scalar(0.5)) and not can_be(Scalar(-0.5))
    assert not can_be(sqrt(SLOT) + Scalar(0.5)) and not can_be(Scalar(0.5) + sqrt(SLOT))
    assert can_be(sqrt(SLOT) + Scalar(0.0))
    # A product is zero where a factor is, a quotient where its dividend is.
    assert can_be(SHARE * SLOT) and not can_be(SHARE * Scalar(0.5))
    assert can_be(SLOT / SHARE) and not can_be(SHARE / SLOT)
    assert not can_be(Scalar(tf.constant(0.0)))  # a tensor without dimensions


def test_a_number_is_zero_where_tensorflow_takes_it_for_zero():
    half = np.float16(2**-24)  # the smallest: computed in float32, so it counts
    assert not patterns.can_be_zero(Scalar(float(half)), "float16")
    assert patterns.can_be_zero(Scalar(1e-9), "float16")
    for dtype in FLOATS[1:]:
        tiny = float(np.finfo(dtype).tiny)
        assert not patterns.can_be_zero(Scalar(tiny), dtype)
        assert not patterns.can_be_zero(Scalar(-tiny), dtype)
        assert patterns.can_be_zero(Scalar(tiny / 2), dtype)
        assert patterns.can_be_zero(Scalar(-tiny / 2), dtype)
    assert patterns.can_be_zero(Scalar(1e-300), "float32")
    assert not patterns.can_be_zero(Scalar(1e-300), "float64")


def test_a_scaled_quotient_is_taken_apart_without_the_scale():
    scale, quotient = patterns.scaled_quotient(RATE * GRADIENT / SLOT)
    assert scale is RATE and quotient.operands == (GRADIENT, SLOT)
    assert patterns.scaled_quotient(GRADIENT / SLOT) is None


def test_an_increment_has_the_target_first():
    assert patterns.increment_of(PARAMETER, PARAMETER - GRADIENT) == ("subtract", GRADIENT)
    assert patterns.increment_of(PARAMETER, PARAMETER + GRADIENT) == ("add", GRADIENT)
    for formula in (GRADIENT - PARAMETER, SLOT + GRADIENT, PARAMETER * GRADIENT, GRADIENT):
        assert patterns.increment_of(PARAMETER, formula) is None


def test_squares_and_magnitudes_are_never_negative():
    for formula in (SHARE * square(GRADIENT), square(GRADIENT), absolute(GRADIENT)):
        assert patterns.is_never_negative(formula)
    for formula in (
        SHARE * GRADIENT,
        GRADIENT,
        square(GRADIENT) * SHARE,
        SHARE + square(GRADIENT),
        GRADIENT * square(GRADIENT),
    ):
        assert not patterns.is_never_negative(formula)
