"""What a file tells of its release, and what a release does otherwise than its era."""

import pytest

from keras_optimizers.checkpoint.eras import layouts, releases

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
