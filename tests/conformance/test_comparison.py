"""Numbers are compared to the bit, in units in the last place, and within tolerances."""

import numpy as np
import pytest

from keras_optimizers.conformance.comparison import compare
from keras_optimizers.conformance.levels import Level
from keras_optimizers.conformance.recorder.comparing import ulps_between
from keras_optimizers.conformance.recorder.layouts import name_weights
from keras_optimizers.conformance.recorder.training import Trace


def trace(**arrays):
    """A trace; what is called parameter_0 is a parameter, all else are weights."""
    named = {name.replace("_", " "): np.asarray(value) for name, value in arrays.items()}
    weights = [name for name in named if not name.startswith("parameter")]
    return Trace("case", "SGD", named, weights, {})


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_neighbours_are_one_ulp_apart_also_across_zero(dtype):
    values = np.asarray([1, -1, 0, 1e-3, 3e4], dtype)
    up = np.nextafter(values, np.asarray(np.inf, dtype))
    assert ulps_between(values, up).tolist() == [1] * 5
    assert ulps_between(up, values).tolist() == [1] * 5
    tiny = np.nextafter(np.asarray(0, dtype), np.asarray(1, dtype))
    assert ulps_between(-tiny, tiny) == 2
    assert ulps_between(np.asarray(-0.0, dtype), np.asarray(0.0, dtype)) == 0


def test_nan_is_equal_to_nan_alone():
    one, other = np.asarray([np.nan, np.nan, np.inf]), np.asarray([np.nan, 1.0, np.inf])
    assert ulps_between(one, other).tolist() == [0, np.inf, 0]
    for level in ("bits", "4 ulp", "1e-3"):
        assert Level.of(level).violations(one, other).tolist() == [False, True, False]


def test_bits_tell_the_zeros_apart_and_units_do_not():
    zeros = np.asarray([0.0]), np.asarray([-0.0])
    assert Level.of("bits").violations(*zeros).any()
    assert not Level.of("0 ulp").violations(*zeros).any()


def test_a_tolerance_is_relative_to_the_largest_number_but_not_to_one_that_explodes():
    expected = np.asarray([1e30, 1.0])
    assert Level.of("1e-6").violations(np.asarray([1e30, 2.5]), expected).tolist() == [False, True]
    assert not Level.of("1e-6").violations(np.asarray([100.00005]), np.asarray([100.0])).any()


@pytest.mark.parametrize("text", ["bit", "-1 ulp ulp", "0", "-1e-3", "", True])
def test_other_levels_are_refused(text):
    with pytest.raises(ValueError, match="level must be"):
        Level.of(text)


def test_the_first_difference_is_named_with_step_variable_and_element():
    expected = np.zeros((4, 2, 2), "float32")
    got = expected.copy()
    got[2, 1, 0] = 0.5
    got[3] = 3.0
    result = compare(trace(parameter_0=got), trace(parameter_0=expected))
    first = result.first
    assert (first.step, first.variable, first.element) == (3, "parameter 0", (1, 0))
    assert (first.got, first.expected, first.absolute) == (0.5, 0.0, 0.5)
    assert result.absolute == [0, 0, 0.5, 3.0]
    assert "step 3 of 4, parameter 0[1, 0]: got 0.5, expected 0" in result.describe()


def test_the_state_is_named_before_the_parameter_that_follows_from_it():
    one, other = np.zeros((2, 3)), np.ones((2, 3))
    result = compare(trace(parameter_0=one, velocity=one), trace(parameter_0=other, velocity=other))
    assert result.first.variable == "velocity" and result.first.others == ["parameter 0"]


def test_a_reversed_sign_is_suggested():
    result = compare(trace(parameter_0=[[2.0]]), trace(parameter_0=[[-2.0]]))
    assert "opposite sign" in result.describe()


def test_layouts_are_compared_by_names_shapes_and_dtypes():
    one = trace(parameter_0=[[1.0]], iterations=np.asarray([1]), velocity=[[1.0]])
    without = trace(parameter_0=[[1.0]], velocity=[[1.0]])
    assert compare(one, without).layout == ["iterations: not in the reference"]
    assert compare(without, one).layout == ["iterations: missing"]
    wide = trace(parameter_0=[[1.0]], iterations=np.asarray([1], "int32"), velocity=[[1.0, 1.0]])
    assert compare(wide, one).layout == [
        "iterations: int32, expected int64",
        "velocity: shape (2,), expected (1,)",
    ]


def test_weights_get_names_by_what_they_hold():
    slots = [np.zeros((2, 3)), np.zeros(())]
    assert name_weights("SGD", [np.int64(5)] + slots, 2, 5) == [
        "iterations",
        "velocity of parameter 0",
        "velocity of parameter 1",
    ]
    nadam = name_weights("Nadam", [np.int64(5), np.float32(0.4)] + slots * 2, 2, 5)
    assert nadam[:3] == ["iterations", "m_schedule", "first moment of parameter 0"]
    assert name_weights("Lion", slots, 2, 5) == ["slot 0 of parameter 0", "slot 0 of parameter 1"]
    by_parameter = name_weights("Adam", slots * 2, 2, 5, grouped=False)
    assert by_parameter[:2] == ["first moment of parameter 0", "second moment of parameter 0"]
    assert name_weights("Lion", slots + slots[:1], 2, 5) == ["weight 0", "weight 1", "weight 2"]
