"""What the table of eras holds."""

import pytest

from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.reference import OPTIMIZERS

KERAS_2, TF_KERAS = layouts.KERAS_2_2, layouts.TF_KERAS_1_10


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


def test_a_slot_of_keras_3_has_the_parameter_s_name_without_slashes():
    name = layouts.slot_name(layouts.KERAS_3, "Adam", "first_moment", "a/b/kernel", 0)
    assert name == "adam/a_b_kernel_momentum"
