"""Configs of each era's optimizers: what is read, what is written."""

import pytest

from keras_optimizers.checkpoint.eras import configs, layouts
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.reference import OPTIMIZERS

KERAS_2 = layouts.KERAS_2_2


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
