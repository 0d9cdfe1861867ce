"""What files of each era say, and what is taken from it: versions, configs, lists of weights."""

import numpy as np
import pytest

from keras_optimizers.checkpoint import Array, OptimizerState, Parameter
from keras_optimizers.checkpoint.eras import configs, layouts, releases, weight_lists
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.reference import OPTIMIZERS

# Releases.

KERAS_2, TF_KERAS = layouts.KERAS_2_2, layouts.TF_KERAS_1_10
USUAL = {"amsgrad": True, "slot_order": "model", "clipnorm": "", "momentum_product": ""}


@pytest.mark.parametrize(
    "layout,versions,differs",
    [
        (TF_KERAS, "2.0.8-tf 2.1.2-tf", {"amsgrad": False, "clipnorm": "common"}),
        (TF_KERAS, "2.1.3-tf 2.1.5-tf", {"clipnorm": "common"}),
        (TF_KERAS, "2.1.6-tf", {"clipnorm": "unknown"}),
        (TF_KERAS, "2.0.7-tf 2.1.7-tf 2.2.4-tf", {}),
        (KERAS_2, "0.3 1.2.2", {"amsgrad": False, "slot_order": "unknown"}),
        (KERAS_2, "2.0.0 2.0.5", {"amsgrad": False, "slot_order": "name"}),
        (KERAS_2, "2.0.6 2.1.2", {"amsgrad": False}),
        (KERAS_2, "2.1.3 2.2.5", {}),
        (KERAS_2, "unknown", {"slot_order": "unknown"}),
        (layouts.KERAS_3, "3.0.5 3.1", {"momentum_product": "first", "fixed": True}),
        (layouts.KERAS_3, "3.2 3.9.2", {"momentum_product": "first"}),
        (layouts.KERAS_3, "3.10.0 3.11 2.15.0", {}),
        (layouts.KERAS_2_3, "2.0.5 2.1.5 3.1 unknown", {}),
    ],
)
def test_what_a_release_does_otherwise_than_its_era(layout, versions, differs):
    expected = dict(USUAL, fixed=False)
    expected.update(differs)
    for version in versions.split():
        release = releases.release_of(layout, version)
        found = {name: getattr(release, name) for name in USUAL}
        assert dict(found, fixed=release.trains_fixed_layers) == expected, version


def test_a_version_is_its_leading_numbers():
    assert releases.numbers_of("2.10.3-tf") == (2, 10, 3)
    assert releases.numbers_of("3") == (3,)
    assert releases.numbers_of("unknown") == releases.numbers_of("v2.1") == ()


@pytest.mark.parametrize(
    "config,version,names,layout",
    [
        ({"learning_rate": 1.0}, "3.1.0", [], layouts.KERAS_3),
        ({"learning_rate": 1.0}, "3.1.0", ["adam/iteration"], layouts.KERAS_3),
        ({"lr": 1.0}, "3.1.0", [], TF_KERAS),
        ({"learning_rate": 1.0}, "2.15.0", ["iteration:0"], layouts.TF_KERAS_2_11),
        ({"learning_rate": 1.0}, "2.15.0", ["adam/iteration:0", "adam/m:0"], layouts.TF_KERAS_2_11),
        ({"learning_rate": 1.0, "jit_compile": False}, "2.15.0", [], layouts.TF_KERAS_2_11),
        (
            {"jit_compile": False, "is_legacy_optimizer": True, "name": "Adam"},
            "2.15.0",
            [],
            layouts.OPTIMIZER_V2,
        ),
        ({"learning_rate": 1.0}, "2.2.4-tf", ["training/Adam/iter:0"], layouts.OPTIMIZER_V2),
        ({"learning_rate": 1.0, "name": "Adam"}, "2.2.4-tf", [], layouts.OPTIMIZER_V2),
        ({"learning_rate": 1.0}, "2.3.1", ["iterations:0"], layouts.KERAS_2_3),
        ({"lr": 1.0}, "2.2.4", ["Adam/iterations:0"], KERAS_2),
        ({"lr": 1.0}, "2.1.6-tf", [], TF_KERAS),
        ({"lr": 1.0}, "2.3.9", [], KERAS_2),
        ({"lr": 1.0}, "2.4", [], TF_KERAS),
        ({"lr": 1.0}, "2.4.0", [], TF_KERAS),
        ({"lr": 1.0}, "2.12.0", [], TF_KERAS),
    ],
)
def test_the_era_of_a_model_s_file(config, version, names, layout):
    assert releases.layout_of(config, version, names) is layout


def test_the_era_of_an_archive():
    assert releases.archive_layout({"is_legacy_optimizer": True}, "3.1") is layouts.OPTIMIZER_V2
    assert releases.archive_layout({"is_legacy_optimizer": False}, "3.1") is layouts.KERAS_3
    assert releases.archive_layout({}, "3.1") is layouts.KERAS_3
    assert releases.archive_layout({}, "2.13.1") is layouts.TF_KERAS_2_11


@pytest.mark.parametrize(
    "versions,family",
    [
        ("3.0.0 3.11", "keras-3"),
        ("2.0.8-tf 2.1.6-tf", "tf-keras-1.10"),
        ("2.2.4-tf 2.3.0-tf", "tf-keras-1.14"),
        ("2.0.1 2.1.6 2.2.5", "keras-2.2"),
        ("2.3.0 2.3.1", "keras-2.3"),
        ("2.4.0 2.15.0", "tf-keras-2"),
    ],
)
def test_the_family_that_describes_architectures_alike(versions, family):
    assert {releases.family_of(version) for version in versions.split()} == {family}


def test_a_release_puts_what_it_means_into_the_hyperparameters():
    early, common = (releases.release_of(TF_KERAS, one) for one in ("2.0.8-tf", "2.1.5-tf"))
    unknown, usual = (releases.release_of(TF_KERAS, one) for one in ("2.1.6-tf", "2.2.4-tf"))

    def adjusted(release, class_name="Adam", **options):
        notes, doubts = releases.adjust(release, class_name, options, "2.1.5-tf")
        return options, len(notes), doubts

    assert adjusted(early) == ({"amsgrad": False}, 0, {})
    assert adjusted(early, amsgrad=True) == ({"amsgrad": True}, 0, {})
    assert adjusted(early, "SGD") == adjusted(common) == adjusted(usual) == ({}, 0, {})
    assert adjusted(common, clipnorm=2.0) == ({"global_clipnorm": 2.0}, 1, {})
    assert adjusted(usual, clipnorm=2.0) == ({"clipnorm": 2.0}, 0, {})
    assert adjusted(unknown) == ({}, 0, {})
    options, notes, doubts = adjusted(unknown, clipnorm=2.0)
    assert (options, notes) == ({"clipnorm": 2.0}, 0) and list(doubts) == ["clipnorm"]
    assert "--set clipnorm=2.0, or give --set global_clipnorm=2.0" in doubts["clipnorm"]


# Configs.


@pytest.mark.parametrize(
    "spelling,name",
    [
        ("Adam", "Adam"),
        ("sgd", "SGD"),
        ("Custom>Nadam", "Nadam"),
        ("keras.optimizers.RMSprop", "RMSprop"),
        ("a>b>legacy.AdamW", "Adam"),
        ("Ftrl", None),
    ],
)
def test_a_class_is_known_by_any_era_s_spelling(spelling, name):
    assert configs.known_class(spelling) == name


def test_another_class_is_refused_by_name():
    assert configs.class_name_of("adamw", "f") == "Adam"
    with pytest.raises(CheckpointError, match="holds the state of 'Ftrl', which has no counter"):
        configs.class_name_of("Ftrl", "f")
    with pytest.raises(CheckpointError, match="its optimizer's class is 5"):
        configs.class_name_of(5, "f")


def parsed(layout, class_name, **config):
    return configs.parse(layout, class_name, config, "f")


def test_a_config_is_read_by_our_names():
    options, notes = parsed(
        layouts.OPTIMIZER_V2,
        "Adam",
        name="Adam",
        learning_rate=0.5,
        beta_1=0.25,
        decay=0.125,
        epsilon=None,
        amsgrad=1,
        clipvalue=None,
        clipnorm=3.0,
    )
    expected = {"lr": 0.5, "beta_1": 0.25, "decay": 0.125, "epsilon": 1e-7, "amsgrad": True}
    assert options == dict(expected, clipnorm=3.0) and options["amsgrad"] is True
    assert notes == []
    assert parsed(KERAS_2, "SGD", lr=0.5, nesterov=0)[0] == {"lr": 0.5, "nesterov": False}
    assert parsed(KERAS_2, "SGD", nesterov=True)[0] == {"nesterov": True}
    assert parsed(layouts.OPTIMIZER_V2, "RMSprop", centered=True)[0] == {"centered": True}
    inside = {"epsilon": 0.5, "epsilon_inside_root": True}
    assert parsed(KERAS_2, "Adagrad", **inside)[0] == inside
    later, notes = parsed(layouts.KERAS_3, "SGD", use_ema=True, weight_decay=0.5, decay=0.0)
    assert later == {"use_ema": True, "weight_decay": 0.5, "decay": 0.0} and notes == []


def test_what_changes_no_step_is_left_aside_without_a_word_and_the_unknown_with_one():
    names = "name jit_compile is_legacy_optimizer ema_momentum ema_overwrite_frequency fused native"
    nothing = dict.fromkeys([*names.split(), "initial_accumulator_value"], 5)
    assert parsed(KERAS_2, "Adagrad", **nothing) == ({}, [])
    assert parsed(KERAS_2, "Adam", use_ema=False, momentum=0.0) == ({}, [])
    assert parsed(KERAS_2, "SGD", momentum=0.0) == ({"momentum": 0.0}, [])
    options, (note,) = parsed(KERAS_2, "Adam", hue=5, lr=0.5)
    assert options == {"lr": 0.5} and "hue=5 is unknown here" in note


def test_nadam_s_schedule_decay_has_another_name_or_none():
    assert parsed(layouts.OPTIMIZER_V2, "Nadam", decay=0.5)[0] == {"schedule_decay": 0.5}
    assert parsed(KERAS_2, "Nadam", schedule_decay=0.5)[0] == {"schedule_decay": 0.5}
    assert parsed(KERAS_2, "Adam", decay=0.5)[0] == {"decay": 0.5}
    assert parsed(layouts.KERAS_3, "Nadam")[0] == {"schedule_decay": 1.0}
    assert parsed(layouts.KERAS_3, "Adam")[0] == {"decay": 0.0}


def test_a_common_norm_of_zero_is_no_clipping_in_standalone_keras_alone():
    assert parsed(KERAS_2, "SGD", clipnorm=0)[0] == {}
    assert parsed(KERAS_2, "SGD", clipnorm=0.5)[0] == {"global_clipnorm": 0.5}
    kept = {"global_clipnorm": 0}
    assert parsed(layouts.OPTIMIZER_V2, "SGD", **kept)[0] == kept


def test_an_epsilon_inside_the_root_is_the_era_s():
    assert "epsilon_inside_root" not in parsed(layouts.OPTIMIZER_V2, "RMSprop", momentum=0.0)[0]
    inside = parsed(layouts.OPTIMIZER_V2, "RMSprop", momentum=0.5)[0]
    assert inside["epsilon_inside_root"] is True
    assert parsed(layouts.KERAS_3, "Adagrad")[0]["epsilon_inside_root"] is True


@pytest.mark.parametrize("value", ["0.5", True, float("nan"), [1.0]])
def test_a_hyperparameter_that_is_no_number_is_refused(value):
    with pytest.raises(CheckpointError, match="its optimizer's beta_1 is"):
        parsed(KERAS_2, "Adam", beta_1=value)


def schedule(class_name="InverseTimeDecay", **config):
    return {"class_name": class_name, "config": config}


INVERSE = {"initial_learning_rate": 0.5, "decay_rate": 3.0, "decay_steps": 4}


def test_inverse_time_decay_is_lr_and_decay_and_every_other_schedule_stays_one():
    for name in ("InverseTimeDecay", "Custom>InverseTimeDecay"):
        options, _ = parsed(layouts.KERAS_3, "SGD", learning_rate=schedule(name, **INVERSE))
        assert options == {"lr": 0.5, "decay": 0.75}
    stairs = schedule(staircase=True, **INVERSE)
    options, _ = parsed(layouts.OPTIMIZER_V2, "SGD", learning_rate=stairs)
    assert options == {"lr": 0.5, "learning_rate_schedule": stairs}
    without_rate = schedule("PiecewiseConstantDecay")
    options, _ = parsed(layouts.OPTIMIZER_V2, "SGD", learning_rate=without_rate)
    assert options == {"learning_rate_schedule": without_rate}
    for name in ("initial_learning_rate", "decay_rate", "decay_steps"):
        wrong = schedule(**dict(INVERSE, **{name: "x"}))
        with pytest.raises(CheckpointError, match="its optimizer's %s is 'x'" % name):
            parsed(layouts.KERAS_3, "SGD", learning_rate=wrong)
    with pytest.raises(CheckpointError, match="its learning rate is"):
        parsed(layouts.KERAS_3, "SGD", learning_rate={"class_name": "X"})
    with pytest.raises(CheckpointError, match=r"it has decay=0\.25 besides"):
        parsed(layouts.OPTIMIZER_V2, "SGD", learning_rate=stairs, decay=0.25)


def written(layout, class_name, **options):
    return configs.write(layout, class_name, dict(OPTIMIZERS[class_name].defaults, **options))


def test_a_config_has_the_era_s_names_and_what_the_era_adds():
    assert written(KERAS_2, "SGD") == OPTIMIZERS["SGD"].defaults
    assert written(layouts.OPTIMIZER_V2, "Adagrad") == {
        "name": "Adagrad",
        "learning_rate": 0.01,
        "decay": 0.0,
        "epsilon": 1e-7,
        "initial_accumulator_value": 0.0,
    }
    assert written(KERAS_2, "Adagrad") == OPTIMIZERS["Adagrad"].defaults
    assert "initial_accumulator_value" not in written(layouts.OPTIMIZER_V2, "SGD")
    assert "decay" not in written(layouts.KERAS_3, "Adam")
    nadam = written(layouts.OPTIMIZER_V2, "Nadam")
    assert nadam["decay"] == nadam["schedule_decay"] == 0.004
    assert written(KERAS_2, "Nadam")["schedule_decay"] == 0.004
    later = written(layouts.KERAS_3, "Nadam", weight_decay=0.5, use_ema=True)
    assert later["name"] == "nadam" and "schedule_decay" not in later and "decay" not in later
    assert later["weight_decay"] == 0.5 and later["use_ema"] is True
    assert "weight_decay" not in written(KERAS_2, "Adam", weight_decay=0.5)
    assert written(layouts.KERAS_3, "Adam", weight_decay=None)["weight_decay"] is None
    assert written(layouts.KERAS_3, "Adam", use_ema=None)["use_ema"] is False


def test_rmsprop_says_what_later_eras_added_where_the_era_has_it():
    plain = written(layouts.OPTIMIZER_V2, "RMSprop")
    assert (plain["momentum"], plain["centered"]) == (0.0, False)
    more = written(layouts.OPTIMIZER_V2, "RMSprop", momentum=0.5, centered=1)
    assert more["momentum"] == 0.5 and more["centered"] is True
    assert "centered" not in written(KERAS_2, "RMSprop", centered=True)


def test_clipping_is_written_by_the_era_s_name():
    assert written(KERAS_2, "SGD", global_clipnorm=0.5)["clipnorm"] == 0.5
    assert "clipnorm" not in written(KERAS_2, "SGD", global_clipnorm=None)


def test_a_decay_is_a_schedule_in_eras_without_the_argument():
    inner = {
        "initial_learning_rate": 0.01,
        "decay_steps": 1,
        "decay_rate": 0.5,
        "staircase": False,
        "name": "InverseTimeDecay",
    }
    assert written(layouts.KERAS_3, "SGD", decay=0.5)["learning_rate"] == {
        "class_name": "InverseTimeDecay",
        "config": inner,
        "module": "keras.optimizers.schedules",
        "registered_name": None,
    }
    assert written(layouts.KERAS_3, "SGD", decay=0.0)["learning_rate"] == 0.01
    assert written(layouts.OPTIMIZER_V2, "SGD", decay=0.5)["learning_rate"] == 0.01


def test_a_schedule_is_written_without_an_empty_name():
    given = schedule("Custom>CosineDecay", decay_steps=5, name=None)
    assert written(layouts.OPTIMIZER_V2, "SGD", learning_rate_schedule=given)["learning_rate"] == {
        "class_name": "CosineDecay",
        "config": {"decay_steps": 5},
    }
    named = schedule("CosineDecay", name="mine", alpha=None)
    rate = written(layouts.OPTIMIZER_V2, "SGD", learning_rate_schedule=named)["learning_rate"]
    assert rate["config"] == {"name": "mine", "alpha": None}


def test_a_serialized_optimizer_names_its_module_where_the_era_does():
    plain = {"class_name": "SGD", "config": {}}
    assert configs.serialized_optimizer(KERAS_2, "SGD", {}) == plain
    more = dict(plain, module="keras.optimizers", registered_name="SGD")
    assert configs.serialized_optimizer(layouts.TF_KERAS_2_11, "SGD", {}) == more
    more["registered_name"] = None
    assert configs.serialized_optimizer(layouts.KERAS_3, "SGD", {}) == more


@pytest.mark.parametrize("name", ["LossScaleOptimizer", "k>LossScaleOptimizerV3"])
def test_the_optimizer_inside_a_loss_scale_is_unwrapped(name):
    inner = {"class_name": "SGD", "config": {}}
    wrapped = {"class_name": name, "config": {"inner_optimizer": inner}}
    found, left_out = configs.unwrapped(wrapped)
    assert found is inner and list(left_out) == ["loss_scale"]
    assert left_out["loss_scale"].startswith("the wrapper LossScaleOptimizer and its scale")


@pytest.mark.parametrize(
    "other",
    [
        {"class_name": "SGD", "config": {"inner_optimizer": {}}},
        {"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": 5}},
        {"class_name": "LossScaleOptimizer", "config": [1]},
        {},
    ],
)
def test_what_is_no_loss_scale_is_left_as_it_is(other):
    found, left_out = configs.unwrapped(other)
    assert found is other and left_out == {}


def test_an_optimizer_that_was_given_by_name_has_its_era_s_defaults():
    assert configs.by_name(KERAS_2, "sgd", "f") == {
        "class_name": "sgd",
        "config": OPTIMIZERS["SGD"].defaults,
    }
    later = configs.by_name(layouts.KERAS_3, "AdamW", "f")["config"]
    assert later["weight_decay"] == 0.004 and "decay" not in later
    assert "weight_decay" not in configs.by_name(layouts.KERAS_3, "adam", "f")["config"]
    nadam = configs.by_name(layouts.OPTIMIZER_V2, "nadam", "f")["config"]
    assert nadam["lr"] == 0.001 and "schedule_decay" not in nadam
    assert configs.by_name(layouts.OPTIMIZER_V2, "adam", "f")["config"]["decay"] == 0.0


def test_losses_and_metrics_have_long_names():
    long = {
        "mse": "mean_squared_error",
        "mae": "mean_absolute_error",
        "mape": "mean_absolute_percentage_error",
        "msle": "mean_squared_logarithmic_error",
        "kld": "kullback_leibler_divergence",
        "acc": "accuracy",
        "hinge": "hinge",
    }
    assert configs.long_names(list(long)) == list(long.values())
    assert configs.long_names({"out": ["mse", None, 5]}) == {"out": ["mean_squared_error", None, 5]}


# Lists of weights.

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


# What the eras hold.

# By era: the weights' own names of the roles.
ROLE_NAMES = {
    "optimizer-v2": {
        "SGD": "momentum",
        "RMSprop": "rms momentum mg",
        "Adagrad": "accumulator",
        "Adadelta": "accum_grad accum_var",
        "Adam": "m v vhat",
        "Adamax": "m v",
        "Nadam": "m v",
    },
    "tf-keras-2.11": {
        "SGD": "m",
        "RMSprop": "velocity momentum average_gradient",
        "Adagrad": "accumulator",
        "Adadelta": "accumulated_grad accumulated_delta_var",
        "Adam": "m v vhat",
        "Adamax": "m u",
        "Nadam": "m v",
    },
    "keras-3": {
        "SGD": "momentum",
        "RMSprop": "velocity momentum average_gradient",
        "Adagrad": "accumulator",
        "Adadelta": "accumulated_grad accumulated_delta_var",
        "Adam": "momentum velocity velocity_hat",
        "Adamax": "momentum norm",
        "Nadam": "momentum velocity",
    },
}
EVERYTHING = {"momentum": 0.5, "centered": True, "amsgrad": True}


@pytest.mark.parametrize("era", ROLE_NAMES)
def test_an_era_s_names_of_the_roles(era):
    layout = layouts.LAYOUTS[era]._replace(slot_name="{role}")
    for class_name, names in ROLE_NAMES[era].items():
        roles = layouts.roles(layout, class_name, EVERYTHING)
        found = [layouts.slot_name(layout, class_name, role, "kernel", 0) for role in roles]
        assert " ".join(found) == names, class_name


@pytest.mark.parametrize(
    "layout,class_name,options,roles",
    [
        (KERAS_2, "SGD", {}, ["velocity"]),
        (layouts.OPTIMIZER_V2, "SGD", {}, []),
        (layouts.OPTIMIZER_V2, "SGD", {"momentum": 0.5}, ["velocity"]),
        (layouts.TF_KERAS_2_11, "SGD", {}, ["velocity"]),
        (layouts.KERAS_3, "SGD", {}, []),
        (layouts.TF_TRAIN, "SGD", {}, []),
        (KERAS_2, "Adam", {}, ["first_moment", "second_moment", "largest_second_moment"]),
        (layouts.OPTIMIZER_V2, "Adam", {}, ["first_moment", "second_moment"]),
        (layouts.TF_KERAS_2_11, "Adam", {}, ["first_moment", "second_moment"]),
        (layouts.TF_TRAIN, "Adam", {}, ["first_moment", "second_moment"]),
        (KERAS_2, "RMSprop", EVERYTHING, ["mean_square"]),
        (layouts.TF_TRAIN, "RMSprop", EVERYTHING, ["mean_square", "momentum", "mean_gradient"]),
        (layouts.OPTIMIZER_V2, "RMSprop", {"centered": True}, ["mean_square", "mean_gradient"]),
    ],
)
def test_the_roles_among_an_era_s_weights(layout, class_name, options, roles):
    assert layouts.roles(layout, class_name, options) == roles


COUNTED_ALONE = ["iterations"]


@pytest.mark.parametrize(
    "layout,class_name,options,first,last",
    [
        (TF_KERAS, "RMSprop", {}, [], []),
        (TF_KERAS, "Nadam", {}, COUNTED_ALONE, []),
        (KERAS_2, "Adagrad", {}, [], []),
        (KERAS_2, "Nadam", {}, COUNTED_ALONE, []),
        (layouts.KERAS_OPTIMIZERS, "RMSprop", {}, COUNTED_ALONE, []),
        (layouts.KERAS_OPTIMIZERS, "Nadam", {}, ["iterations", "m_schedule"], []),
        (layouts.TF_TRAIN, "RMSprop", {}, COUNTED_ALONE, []),
        (layouts.KERAS_2_3, "Nadam", {}, ["iterations", "m_schedule"], []),
        (layouts.TF_KERAS_2_11, "Nadam", {}, COUNTED_ALONE, []),
        (layouts.OBJECT_CHECKPOINT_2_11, "Nadam", {}, COUNTED_ALONE, []),
        (layouts.KERAS_3, "Nadam", {}, ["iterations", "learning_rate"], ["m_schedule"]),
        (layouts.KERAS_3, "Adam", {}, ["iterations", "learning_rate"], []),
        (layouts.KERAS_3, "Adam", {"decay": 0.5}, COUNTED_ALONE, []),
        (layouts.KERAS_3, "Adam", {"learning_rate_schedule": {}}, COUNTED_ALONE, []),
    ],
)
def test_the_scalars_among_an_era_s_weights(layout, class_name, options, first, last):
    assert layouts.scalars(layout, class_name, options) == first
    assert layouts.last_scalars(layout, class_name) == last


def test_a_decay_alone_is_a_schedule_only_in_eras_without_the_argument():
    assert not layouts.is_scheduled(KERAS_2, {"decay": 0.5})
    assert layouts.is_scheduled(KERAS_2, {"learning_rate_schedule": {}})
    assert layouts.is_scheduled(layouts.KERAS_3, {"decay": 0.5}) is True
    assert layouts.is_scheduled(layouts.KERAS_3, {"decay": 0.0}) is False


# Classes whose rows of embeddings are treated as the word says, without and with momentum.
ROWS = [
    ("keras-2.2", "all", "SGD RMSprop Adagrad Adadelta Adam Adamax Nadam", 0.5),
    ("unknown", "all", "SGD Adam", 0.5),
    ("optimizer-v2", "touched", "Adadelta Adamax Nadam", 0.0),
    ("optimizer-v2", "all", "SGD RMSprop Adagrad Adam", 0.0),
    ("optimizer-v2", "touched", "SGD RMSprop Adadelta Adamax Nadam", 0.5),
    ("checkpoint", "touched", "SGD RMSprop", 0.5),
    ("saver-tf-train", "touched", "RMSprop Adadelta", 0.0),
    ("saver-tf-train", "touched", "SGD", 0.5),
    ("saver-tf-train", "all", "SGD Adagrad Adam", 0.0),
    ("tf-keras-2.11", "all", "SGD RMSprop Adagrad Adadelta Adam Adamax Nadam", 0.5),
    ("checkpoint-2.11", "all", "SGD RMSprop Adam", 0.5),
    ("keras-3", "unsummed", "RMSprop Adagrad Adadelta Adam Adamax Nadam", 0.5),
    ("keras-3", "all", "SGD", 0.5),
    ("saver", "all", "SGD RMSprop Adam", 0.5),
    ("checkpoint-ours", "all", "SGD RMSprop Adam", 0.5),
]


@pytest.mark.parametrize("name,treatment,classes,momentum", ROWS)
def test_how_an_era_treats_the_rows_of_an_embedding(name, treatment, classes, momentum):
    options = {"momentum": momentum}
    for class_name in classes.split():
        assert layouts.treatment_of_rows(name, class_name, options) == treatment, class_name


@pytest.mark.parametrize(
    "layout,classes",
    [
        (KERAS_2, ""),
        (layouts.OPTIMIZER_V2, "RMSprop"),
        (layouts.TF_KERAS_2_11, "RMSprop Adagrad"),
        (layouts.KERAS_3, "RMSprop Adagrad"),
        (layouts.TF_TRAIN, "RMSprop"),
    ],
)
def test_which_classes_add_epsilon_inside_the_root(layout, classes):
    options = {"momentum": 0.5}
    found = [name for name in OPTIMIZERS if layouts.has_epsilon_inside(layout, name, options)]
    assert " ".join(found) == classes
    plain = [name for name in OPTIMIZERS if layouts.has_epsilon_inside(layout, name, {})]
    assert plain == ([] if layout is layouts.OPTIMIZER_V2 else found)


def test_what_an_era_clips_by_and_says_of_itself():
    clipped = {name: dict(layout.clipping) for name, layout in layouts._ALL_LAYOUTS.items()}
    each, common = {"clipnorm": "clipnorm"}, {"global_clipnorm": "clipnorm"}
    values, both = {"clipvalue": "clipvalue"}, {"global_clipnorm": "global_clipnorm"}
    assert clipped.pop("saver-tf-train") == {}
    assert clipped.pop("tf-keras-1.10") == dict(each, **values)
    assert clipped.pop("keras-2.2") == clipped.pop("keras-2.3") == dict(common, **values)
    assert list(clipped.values()) == [dict(each, **both, **values)] * len(clipped) and clipped
    packages = {name: layouts.package_of(name) for name in layouts._ALL_LAYOUTS}
    assert {name for name, package in packages.items() if package == "keras"} == {
        "keras-2.2",
        "keras-2.3",
    }
    assert {name for name, package in packages.items() if package == "tf.keras"} == {
        "keras-optimizers",
        "tf-keras-1.10",
        "checkpoint-ours",
        "saver-tf-train",
    }
    assert layouts.package_of("saver") == layouts.package_of("unknown") == ""


def test_defaults_and_fixed_normalizations_are_looked_up_by_the_layout_s_name():
    assert layouts.defaults_of("optimizer-v2", "Adagrad") == {"lr": 0.001}
    assert layouts.defaults_of("keras-2.2", "Adagrad") == layouts.defaults_of("x", "Adagrad") == {}
    frozen = {name: layouts.freezes_normalization(name) for name in layouts._ALL_LAYOUTS}
    assert {name for name, value in frozen.items() if value is True} == {
        "tf-keras-2.11",
        "keras-3",
        "checkpoint-2.11",
    }
    assert {name for name, value in frozen.items() if value is False} == {
        "tf-keras-1.10",
        "keras-optimizers",
        "saver",
        "saver-tf-train",
        "checkpoint-ours",
    }
    assert layouts.freezes_normalization("unknown") is None


def test_groups_before_the_slots_follow_from_the_options():
    both = {"use_ema": True, "gradient_accumulation_steps": 2}
    assert len(layouts.groups_ahead(layouts.KERAS_3, both)) == 2
    assert layouts.groups_ahead(layouts.TF_KERAS_2_11, {"use_ema": True, "x": 1}) == [
        "the moving averages of the parameters"
    ]
    assert layouts.groups_ahead(KERAS_2, both) == []


COMMON = {
    "weight_decay": None,
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
}
OF_SGD = {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False}


def test_later_eras_configs_have_all_arguments_at_values_that_do_nothing():
    in_2_11 = dict(COMMON, **OF_SGD, name="SGD", jit_compile=False, is_legacy_optimizer=False)
    assert written(layouts.TF_KERAS_2_11, "SGD") == in_2_11
    more = {"loss_scale_factor": None, "gradient_accumulation_steps": None}
    assert written(layouts.KERAS_3, "SGD") == dict(COMMON, **OF_SGD, **more, name="sgd")
    assert written(layouts.KERAS_2_3, "SGD") == dict(OF_SGD, decay=0.0)


def test_a_written_file_names_the_version_of_its_era():
    versions = {name: layout.keras_version for name, layout in layouts.LAYOUTS.items()}
    assert versions == {
        "keras-optimizers": "2.2.4-tf",
        "tf-keras-1.10": "2.1.6-tf",
        "keras-2.2": "2.2.4",
        "keras-2.3": "2.3.1",
        "optimizer-v2": "2.2.4-tf",
        "tf-keras-2.11": "2.15.0",
        "keras-3": "3.10.0",
    }
    reading_older = [n for n, layout in layouts.LAYOUTS.items() if layout.reads_older_architectures]
    assert reading_older == ["keras-optimizers", "optimizer-v2", "tf-keras-2.11"]


def test_object_checkpoints_of_the_new_optimizers_hold_their_slots_in_lists():
    found = {
        class_name: [lists[role] for role in layouts.roles(LISTED, class_name, EVERYTHING)]
        for class_name, lists in LISTED.slot_lists.items()
    }
    assert found == {
        "SGD": ["momentums"],
        "RMSprop": ["_velocities", "_momentums", "_average_gradients"],
        "Adagrad": ["_accumulators"],
        "Adadelta": ["_accumulated_grads", "_accumulated_delta_vars"],
        "Adam": ["_momentums", "_velocities", "_velocity_hats"],
        "Adamax": ["_m", "_u"],
        "Nadam": ["_momentums", "_velocities"],
    }
    assert not layouts.OBJECT_CHECKPOINT.slot_lists
    assert LISTED.momentum_product == "apart"


LISTED = layouts.OBJECT_CHECKPOINT_2_11


def test_every_layout_is_found_by_its_own_name():
    assert list(layouts.LAYOUTS) == [
        "keras-optimizers",
        "tf-keras-1.10",
        "keras-2.2",
        "keras-2.3",
        "optimizer-v2",
        "tf-keras-2.11",
        "keras-3",
    ]
    others = ["saver", "saver-tf-train", "checkpoint", "checkpoint-ours", "checkpoint-2.11"]
    assert list(layouts._ALL_LAYOUTS) == [*layouts.LAYOUTS, *others]
    assert all(layout.name == name for name, layout in layouts._ALL_LAYOUTS.items())


def test_what_only_some_eras_know():
    known = layouts._ALL_LAYOUTS.items()
    later = ["tf-keras-2.11", "keras-3", "checkpoint-2.11"]
    schedules = [name for name, layout in known if layout.schedules]
    assert set(schedules) == {"optimizer-v2", "checkpoint", *later}
    assert [name for name, layout in known if layout.weight_decay] == later
    assert [name for name, layout in known if layout.decay == "schedule"] == later
    extended = [name for name, layout in known if layout.extended_rmsprop]
    assert set(extended) == {"optimizer-v2", "checkpoint", "saver-tf-train", *later}
    accumulators = [name for name, layout in known if layout.accumulator_argument]
    assert set(accumulators) == {"optimizer-v2", "checkpoint", *later}
    only_later = {name: list(layout.later_clipping) for name, layout in known}
    assert {name for name, clipping in only_later.items() if clipping} == {
        "optimizer-v2",
        "checkpoint",
    }
    assert only_later["optimizer-v2"] == ["global_clipnorm"]
    fixed = {name: layout.schedule_decay for name, layout in known if layout.schedule_decay}
    assert fixed == dict.fromkeys(later, 1.0)


def test_roles_alternate_for_each_parameter_where_a_class_has_several():
    for class_name in ("Adadelta", "Adam", "Adamax", "Nadam"):
        slots = arranged(layouts.TF_KERAS_2_11, a_state(class_name))[1:]
        assert [value for _, value in slots] == [1, 2, 1, 2]
        slots = arranged(layouts.OPTIMIZER_V2, a_state(class_name))[-4:]
        assert [value for _, value in slots] == [1, 1, 2, 2]


def test_a_slot_of_keras_3_has_the_parameter_s_name_without_slashes():
    name = layouts.slot_name(layouts.KERAS_3, "Adam", "first_moment", "a/b/kernel", 0)
    assert name == "adam/a_b_kernel_momentum"
