"""Slots find their parameters by shape and order, and never by luck."""

import numpy as np
import pytest

from keras_optimizers.checkpoint import CheckpointError
from keras_optimizers.checkpoint.eras import weight_lists
from keras_optimizers.checkpoint.eras.layouts import KERAS_3, LAYOUTS, OPTIMIZER_V2
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


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(
    "class_name,roles",
    [
        ("Adam", ["first_moment", "second_moment", "largest_second_moment"]),
        ("RMSprop", ["mean_square", "momentum", "mean_gradient"]),
        ("Adadelta", ["mean_square_gradient", "mean_square_step"]),
    ],
)
def test_dealing_is_the_inverse_of_arranging(layout, class_name, roles):
    groups = [[(role, number) for number in range(4)] for role in roles]
    mixed = weight_lists.join_roles(layout, class_name, roles, groups)
    dealt = weight_lists.split_by_role(layout, class_name, roles, mixed)
    assert dealt == dict(zip(roles, groups))


def test_keras_3_writes_amsgrad_s_group_apart():
    roles = ["first_moment", "second_moment", "largest_second_moment"]
    mixed = weight_lists.join_roles(
        KERAS_3, "Adam", roles, [["m0", "m1"], ["v0", "v1"], ["w0", "w1"]]
    )
    assert mixed == ["m0", "v0", "m1", "v1", "w0", "w1"]


def test_optimizer_v2_alternates_rmsprop_s_roles():
    mixed = weight_lists.join_roles(
        OPTIMIZER_V2, "RMSprop", ["mean_square", "momentum"], [["a0", "a1"], ["m0", "m1"]]
    )
    assert mixed == ["a0", "m0", "a1", "m1"]


def test_an_array_scaled_and_scaled_back_has_its_bits():
    value = np.random.RandomState(0).standard_normal(1000).astype("f4")
    scaled = Array.of(value).scaled(-0.05)
    np.testing.assert_array_equal(scaled.scaled(-1 / 0.05).read(), value)
