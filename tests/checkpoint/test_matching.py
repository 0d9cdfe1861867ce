"""Slots find their parameters by shape and order, and never by luck."""

import numpy as np
import pytest

from keras_optimizers.checkpoint import CheckpointError
from keras_optimizers.checkpoint.eras import weight_lists
from keras_optimizers.checkpoint.eras.layouts import LAYOUTS
from keras_optimizers.checkpoint.matching import Candidate, match_in_order
from keras_optimizers.checkpoint.state import Array


def candidates(*shapes, **trainable):
    return [
        Candidate(str(index), Array.filled(shape, "f4", 0), trainable.get("t" + str(index)))
        for index, shape in enumerate(shapes)
    ]


def names(found):
    return [candidate.name for candidate in found]


def test_trained_variables_in_their_order():
    found = match_in_order([(2, 3), (3,)], candidates((2, 3), (3,)), "f")
    assert names(found) == ["0", "1"]


def test_a_frozen_variable_of_the_same_shape_is_left_out():
    found = match_in_order([(3,)], candidates((3,), (3,), t0=False), "f")
    assert names(found) == ["1"]


def test_the_one_way_in_which_shapes_fit_is_found():
    found = match_in_order([(2,), (4,)], candidates((2,), (3,), (4,)), "f")
    assert names(found) == ["0", "2"]


def test_two_ways_are_refused():
    with pytest.raises(CheckpointError, match="more than one way"):
        match_in_order([(3,)], candidates((3,), (3,)), "f")


def test_no_way_is_refused():
    with pytest.raises(CheckpointError, match="no order"):
        match_in_order([(4,), (2,)], candidates((2,), (4,)), "f")


# The order of two parameters' slots, as `get_weights` of the real packages gives it.
GROUPED = ["a0", "a1", "b0", "b1", "c0", "c1"]
PAIRED = ["a0", "b0", "a1", "b1"]
AMSGRAD_APART = ["a0", "b0", "a1", "b1", "c0", "c1"]
LATER = ("tf-keras-2.11", "keras-3")
ORDERS = [
    ("Adam", ["first_moment", "second_moment", "largest_second_moment"], AMSGRAD_APART),
    ("RMSprop", ["mean_square", "momentum", "mean_gradient"], GROUPED),
    ("Adadelta", ["mean_square_gradient", "mean_square_step"], PAIRED),
    ("Adamax", ["first_moment", "infinity_norm"], PAIRED),
    ("Nadam", ["first_moment", "second_moment"], PAIRED),
]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("class_name,roles,in_later_eras", ORDERS)
def test_the_order_of_slots_is_the_era_s(layout, class_name, roles, in_later_eras):
    groups = [[letter + "0", letter + "1"] for letter in "abc"[: len(roles)]]
    expected = in_later_eras if layout.name in LATER else GROUPED[: 2 * len(roles)]
    assert weight_lists.join_roles(layout, class_name, roles, groups) == expected
    split = weight_lists.split_by_role(layout, class_name, roles, expected)
    assert split == dict(zip(roles, groups))


def test_an_array_scaled_and_scaled_back_has_its_bits():
    value = np.random.RandomState(0).standard_normal(1000).astype("f4")
    scaled = Array.of(value).scaled(-0.05)
    np.testing.assert_array_equal(scaled.scaled(-1 / 0.05).read(), value)
