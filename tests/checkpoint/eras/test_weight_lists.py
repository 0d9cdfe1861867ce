"""Lists of weights: what is read from each era's order, and arranged in it."""

import numpy as np
import pytest

from keras_optimizers.checkpoint import Array, OptimizerState, Parameter
from keras_optimizers.checkpoint.eras import layouts, weight_lists
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.reference import OPTIMIZERS

KERAS_2 = layouts.KERAS_2_2


Weight = weight_lists.Weight
SHAPES = {"kernel": (2, 3), "bias": (3,)}


def weight(value, name="weight", dtype=np.float32):
    return Weight(name, Array.of(np.asarray(value, dtype)))


def count(value=5, dtype=np.int64):
    return weight(value, "iterations:0", dtype)


def of_shapes(*groups, shapes=((2, 3), (3,))):
    """A weight for each value and shape, group by group."""
    return [weight(np.full(shape, value)) for value in groups for shape in shapes]


def candidates():
    return [Candidate(name, Array.filled(shape, "float32", 0)) for name, shape in SHAPES.items()]


def listed(layout, class_name, weights, options=None, model=True):
    found = weight_lists.parse(
        layout, class_name, options or {}, weights, candidates() if model else None, "f"
    )
    values = {
        role: [array.read().flat[0] for array in arrays.values()]
        for role, arrays in found.slots.items()
    }
    return found, values


TWO_MOMENTS = {"first_moment": [1, 1], "second_moment": [2, 2]}


def test_slots_are_read_group_by_group_or_parameter_by_parameter():
    found, values = listed(KERAS_2, "Adamax", [count(), *of_shapes(1, 2)])
    assert (found.iterations, found.scalars) == (5, {})
    assert [one.name for one in found.parameters] == list(SHAPES)
    assert values == {"first_moment": [1, 1], "infinity_norm": [2, 2]}
    assert list(found.slots["first_moment"]) == list(SHAPES)
    dealt = [weight(np.full(shape, value)) for shape in SHAPES.values() for value in (1, 2)]
    _, values = listed(layouts.TF_KERAS_2_11, "Adamax", [count(), *dealt])
    assert values == {"first_moment": [1, 1], "infinity_norm": [2, 2]}


def test_amsgrad_s_third_group_stands_apart_and_a_placeholder_is_none():
    dealt = [weight(np.full(shape, value)) for shape in SHAPES.values() for value in (1, 2)]
    weights = [count(), *dealt, *of_shapes(3)]
    _, values = listed(layouts.TF_KERAS_2_11, "Adam", weights, {"amsgrad": True})
    assert values == dict(TWO_MOMENTS, largest_second_moment=[3, 3])
    _, values = listed(KERAS_2, "Adam", [count(), *of_shapes(1, 2, 3)])
    assert values == dict(TWO_MOMENTS, largest_second_moment=[3, 3])
    placeholders = of_shapes(0, shapes=[(1,), (1,)])
    _, values = listed(KERAS_2, "Adam", [count(), *of_shapes(1, 2), *placeholders])
    assert values == TWO_MOMENTS
    _, values = listed(KERAS_2, "Adam", [count(), *of_shapes(1, 2)])  # Keras before 2.1.3
    assert values == TWO_MOMENTS


def test_of_parameters_of_shape_1_the_third_group_is_no_placeholder():
    one = [Candidate("scale", Array.filled((1,), "float32", 0))]
    weights = [count(), *(weight([value]) for value in (1, 2, 3))]
    found = weight_lists.parse(KERAS_2, "Adam", {}, weights, one, "f")
    assert list(found.slots) == ["first_moment", "second_moment", "largest_second_moment"]
    two = [Candidate("pair", Array.filled((2,), "float32", 0))]
    weights = [count(), weight([1, 1]), weight([2, 2]), weight([0])]
    found = weight_lists.parse(KERAS_2, "Adam", {}, weights, two, "f")
    assert list(found.slots) == ["first_moment", "second_moment"]


def test_a_velocity_may_be_there_or_not_whatever_the_momentum_is():
    for layout in (KERAS_2, layouts.OPTIMIZER_V2):
        for options in ({}, {"momentum": 0.5}):
            _, values = listed(layout, "SGD", [count(), *of_shapes(1)], options)
            assert values == {"velocity": [1, 1]}
            found, values = listed(layout, "SGD", [count()], options)
            assert values == {} and len(found.parameters) == 2 and found.iterations == 5


def test_the_usual_order_is_tried_first_where_shapes_allow_others():
    alike = [(2,)] * 3
    two_groups = [count(), *of_shapes(1, 2, shapes=alike)]
    _, values = listed(layouts.OPTIMIZER_V2, "Adam", two_groups, model=False)
    assert values == {"first_moment": [1, 1, 1], "second_moment": [2, 2, 2]}
    averages = [count(), weight(0.5), *of_shapes(8, shapes=alike[:2])]
    _, values = listed(layouts.KERAS_3, "SGD", averages, {"use_ema": True}, model=False)
    assert values == {}


def test_moving_averages_do_not_hide_the_scalars_around_the_slots():
    ema = {"use_ema": True}
    start = [count(), weight(0.25)]
    _, values = listed(layouts.KERAS_3, "Adagrad", [*start, *of_shapes(8, 1)], ema)
    assert values == {"sum_of_squares": [1, 1]}
    dealt = [weight(np.full(shape, value)) for shape in SHAPES.values() for value in (1, 2)]
    weights = [*start, *of_shapes(8), *dealt, weight(0.5)]
    found, values = listed(layouts.KERAS_3, "Nadam", weights, ema)
    assert found.scalars == {"learning_rate": 0.25, "m_schedule": 0.5} and values == TWO_MOMENTS


def test_the_velocity_of_one_parameter_is_no_scalar_without_a_place():
    one = candidates()[:1]
    weights = [count(), *of_shapes(1, shapes=[(2, 3)])]
    found = weight_lists.parse(layouts.OPTIMIZER_V2, "SGD", {}, weights, one, "f")
    assert list(found.slots) == ["velocity"]


def test_a_third_group_of_adam_is_read_whatever_the_config_says():
    weights = [count(), *of_shapes(1, 2, 3)]
    _, values = listed(layouts.OPTIMIZER_V2, "Adam", weights, {"amsgrad": False})
    assert values == dict(TWO_MOMENTS, largest_second_moment=[3, 3])


def test_a_state_before_the_first_step_has_no_slots():
    found, values = listed(layouts.TF_KERAS_2_11, "Adam", [count(0)])
    assert values == {} and [one.name for one in found.parameters] == list(SHAPES)
    found, values = listed(layouts.TF_KERAS_2_11, "Adam", [count(0)], model=False)
    assert values == {} and found.parameters == []


def test_without_a_model_parameters_are_named_by_their_position():
    found, values = listed(KERAS_2, "Adamax", [count(), *of_shapes(1, 2)], model=False)
    assert [one[:3] for one in found.parameters] == [
        ("parameter_0", (2, 3), "float32"),
        ("parameter_1", (3,), "float32"),
    ]
    assert found.parameters[0].value is None and values["infinity_norm"] == [2, 2]
    found, values = listed(KERAS_2, "Adagrad", of_shapes(1), model=False)
    assert len(found.parameters) == 2 and values == {"sum_of_squares": [1, 1]}


def test_the_count_of_steps_may_be_missing_or_come_first_all_the_same():
    found, values = listed(KERAS_2, "Adagrad", of_shapes(1))
    assert found.iterations is None and values == {"sum_of_squares": [1, 1]}
    found, values = listed(KERAS_2, "Adagrad", [count(), *of_shapes(1)])
    assert found.iterations == 5 and values == {"sum_of_squares": [1, 1]}


@pytest.mark.parametrize("layout", [layouts.TF_KERAS_2_11, layouts.KERAS_3])
def test_the_learning_rate_may_be_a_weight_or_not(layout):
    options = {"decay": 0.5}
    for chosen in ({}, options):
        found, values = listed(layout, "Adagrad", [count(), *of_shapes(1)], chosen)
        assert found.iterations == 5 and values == {"sum_of_squares": [1, 1]}
        weights = [count(), weight(0.25), *of_shapes(1)]
        found, values = listed(layout, "Adagrad", weights, chosen)
        assert found.scalars == {"learning_rate": 0.25}
        assert values == {"sum_of_squares": [1, 1]}


@pytest.mark.parametrize("layout", [layouts.KERAS_OPTIMIZERS, KERAS_2, layouts.KERAS_2_3])
def test_nadam_s_product_of_momenta_is_after_the_count_or_missing(layout):
    found, values = listed(layout, "Nadam", [count(), weight(0.5), *of_shapes(1, 2)])
    assert found.scalars == {"m_schedule": 0.5} and values == TWO_MOMENTS
    found, values = listed(layout, "Nadam", [count(), *of_shapes(1, 2)])
    assert found.scalars == {} and values == TWO_MOMENTS


def test_nadam_of_keras_3_has_the_product_last_or_first():
    dealt = [weight(np.full(shape, value)) for shape in SHAPES.values() for value in (1, 2)]
    rate = weight(0.25)
    for weights in (
        [count(), rate, *dealt, weight(0.5)],
        [count(), rate, weight(0.5), *dealt],
    ):
        found, values = listed(layouts.KERAS_3, "Nadam", weights)
        assert found.scalars == {"learning_rate": 0.25, "m_schedule": 0.5}
        assert values == TWO_MOMENTS


def test_moving_averages_stand_before_the_slots_and_have_the_parameters_shapes():
    dealt = [weight(np.full(shape, value)) for shape in SHAPES.values() for value in (1, 2)]
    for options in ({"use_ema": True}, {"use_ema": True, "gradient_accumulation_steps": 2}):
        ahead = of_shapes(*[8, 9][: len(options)])
        found, values = listed(layouts.TF_KERAS_2_11, "Adamax", [count(), *ahead, *dealt], options)
        assert values == {"first_moment": [1, 1], "infinity_norm": [2, 2]}
        wrong = [*ahead[:-1], weight(np.zeros((7,)))]
        with pytest.raises(CheckpointError, match="arrays before its optimizer's slots are not"):
            listed(layouts.TF_KERAS_2_11, "Adamax", [count(), *wrong, *dealt], options)
        wrong = [weight(np.zeros((7,))), *ahead[1:]]
        with pytest.raises(CheckpointError, match="arrays before its optimizer's slots are not"):
            listed(layouts.TF_KERAS_2_11, "Adamax", [count(), *wrong, *dealt], options)
    # SGD without momentum has none beside them.
    found, values = listed(
        layouts.KERAS_3, "SGD", [count(), weight(0.5), *of_shapes(8)], {"use_ema": True}
    )
    assert values == {} and len(found.parameters) == 2


def test_a_list_in_no_layout_is_refused_with_its_first_shapes():
    weights = of_shapes(1, shapes=[(2, n) for n in range(1, 11)])
    with pytest.raises(CheckpointError) as failure:
        listed(layouts.OPTIMIZER_V2, "Adamax", weights)
    shapes = [(2, n) for n in range(1, 9)]
    said = "10 weights of Adamax, of shapes %s ..." % shapes
    assert said in str(failure.value)


def test_groups_of_other_shapes_are_refused():
    weights = [count(), *of_shapes(1), weight(np.zeros((2, 3))), weight(np.zeros(4))]
    with pytest.raises(CheckpointError, match=r"5 optimizer weights do not form groups of equal"):
        listed(KERAS_2, "Adamax", weights)
    placeholders = of_shapes(0, shapes=[(1,), (1,)])
    with pytest.raises(CheckpointError, match="role infinity_norm differ from the others"):
        listed(KERAS_2, "Adamax", [count(), *of_shapes(1), *placeholders])


def test_what_stands_first_must_be_a_scalar_and_count_steps():
    with pytest.raises(CheckpointError, match="expected the scalar iterations first, found 'w"):
        listed(KERAS_2, "Adamax", [weight([1, 2]), *of_shapes(1, 2)])
    with pytest.raises(CheckpointError, match="'decay' does not count steps"):
        listed(KERAS_2, "Adamax", [weight(5, "decay"), *of_shapes(1, 2)])
    found, _ = listed(KERAS_2, "Adamax", [count(5, np.float32), *of_shapes(1, 2)])
    assert found.iterations == 5 and type(found.iterations) is int
    found, _ = listed(KERAS_2, "Adamax", [weight(5, "n", np.int64), *of_shapes(1, 2)])
    assert found.iterations == 5


@pytest.mark.parametrize("value", [-1.0, 2.5, 2.0**62, float("nan")])
def test_a_number_that_counts_no_steps_is_refused(value):
    with pytest.raises(CheckpointError, match="is no number of finished steps"):
        listed(KERAS_2, "Adamax", [count(value, np.float64), *of_shapes(1, 2)])


@pytest.mark.parametrize("value", [0, 1, 2**61])
def test_a_number_of_steps_is_taken(value):
    found, _ = listed(KERAS_2, "Adamax", [count(value), *of_shapes(1, 2)])
    assert found.iterations == value


@pytest.mark.parametrize("dtype", [np.int32, np.uint8])
def test_integers_are_no_slot(dtype):
    one = [Candidate("scale", Array.filled((), "float32", 0))]
    weights = [weight(5, "count", dtype)]
    with pytest.raises(CheckpointError, match="'count' of integers is no slot of Adagrad"):
        weight_lists._parse_variant(
            KERAS_2,
            "Adagrad",
            weight_lists._Variant([], ["sum_of_squares"], [], 0),
            weights,
            one,
            "f",
        )


def test_adagrad_begins_with_the_accumulators_that_its_era_gives_it():
    parameters = [Parameter("kernel", (2,), "float32")]

    def initial(layout, class_name="Adagrad", **config):
        slots = weight_lists.initial_slots(layout, class_name, config, parameters)
        return {role: arrays["kernel"].read().tolist() for role, arrays in slots.items()}

    tenth = float(np.float32(0.1))
    assert initial(layouts.OPTIMIZER_V2) == {"sum_of_squares": [tenth, tenth]}
    given = initial(layouts.OPTIMIZER_V2, initial_accumulator_value=0.5)
    assert given == {"sum_of_squares": [0.5, 0.5]}
    assert (
        initial(KERAS_2) == initial(layouts.OPTIMIZER_V2, "Adam") == initial(KERAS_2, "Adam") == {}
    )


def a_state(class_name, iterations=5, **options):
    """Kernel and bias with all slots, each of a value of its own: 1, 2, ..."""
    parameters = [Parameter(name, shape, "float32") for name, shape in SHAPES.items()]
    slots = {
        role: {name: np.full(shape, number, np.float32) for name, shape in SHAPES.items()}
        for number, role in enumerate(OPTIMIZERS[class_name].roles, 1)
    }
    options = dict(OPTIMIZERS[class_name].defaults, **options)
    scalars = {"m_schedule": 0.5} if class_name == "Nadam" else {}
    return OptimizerState(class_name, options, iterations, parameters, slots, scalars)


def arranged(layout, state):
    """(name, first value) of each weight."""
    weights = weight_lists.arrange(layout, state)
    return [(one.name, float(np.ravel(one.array.read())[0])) for one in weights]


def test_a_list_is_arranged_in_the_era_s_order_and_names():
    assert arranged(KERAS_2, a_state("Adamax")) == [
        ("Adamax/iterations:0", 5),
        ("training/Adamax/Variable:0", 1),
        ("training/Adamax/Variable_1:0", 1),
        ("training/Adamax/Variable_2:0", 2),
        ("training/Adamax/Variable_3:0", 2),
    ]
    assert [name for name, _ in arranged(layouts.KERAS_2_3, a_state("RMSprop"))] == [
        "RMSprop/iterations:0",
        "training/RMSprop/Variable_0:0",
        "training/RMSprop/Variable_1:0",
    ]
    assert arranged(layouts.OPTIMIZER_V2, a_state("Nadam")) == [
        ("training/Nadam/iter:0", 5),
        ("training/Nadam/momentum_cache:0", 0.5),
        ("training/Nadam/kernel/m:0", 1),
        ("training/Nadam/bias/m:0", 1),
        ("training/Nadam/kernel/v:0", 2),
        ("training/Nadam/bias/v:0", 2),
    ]
    assert arranged(layouts.TF_KERAS_2_11, a_state("Adam", amsgrad=True)) == [
        ("iteration:0", 5),
        ("Adam/m/kernel:0", 1),
        ("Adam/v/kernel:0", 2),
        ("Adam/m/bias:0", 1),
        ("Adam/v/bias:0", 2),
        ("Adam/vhat/kernel:0", 3),
        ("Adam/vhat/bias:0", 3),
    ]
    assert arranged(layouts.KERAS_3, a_state("Nadam", lr=0.25)) == [
        ("nadam/iteration", 5),
        ("nadam/learning_rate", 0.25),
        ("nadam/kernel_momentum", 1),
        ("nadam/kernel_velocity", 2),
        ("nadam/bias_momentum", 1),
        ("nadam/bias_velocity", 2),
        ("nadam/variable", 0.5),
    ]


def test_what_a_state_lacks_is_zero_in_the_list_and_an_unused_third_group_a_placeholder():
    state = a_state("Adam", iterations=None)
    del state.slots["first_moment"]
    weights = weight_lists.arrange(KERAS_2, state)
    assert [one.array.shape for one in weights] == [(), (2, 3), (3,), (2, 3), (3,), (1,), (1,)]
    assert arranged(KERAS_2, state)[0][1] == 0
    assert [value for _, value in arranged(KERAS_2, state)[1:]] == [0, 0, 2, 2, 0, 0]
    state.hyperparameters["amsgrad"] = True
    assert [value for _, value in arranged(KERAS_2, state)[1:]] == [0, 0, 2, 2, 3, 3]


def test_roles_alternate_for_each_parameter_where_a_class_has_several():
    for class_name in ("Adadelta", "Adam", "Adamax", "Nadam"):
        slots = arranged(layouts.TF_KERAS_2_11, a_state(class_name))[1:]
        assert [value for _, value in slots] == [1, 2, 1, 2]
        slots = arranged(layouts.OPTIMIZER_V2, a_state(class_name))[-4:]
        assert [value for _, value in slots] == [1, 1, 2, 2]
