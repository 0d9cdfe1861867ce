"""What single releases do otherwise than their era, in files that are built as they write them."""

import json

import numpy as np
import pytest

from keras_optimizers.checkpoint import CheckpointError, migrate, read, write
from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.eras.releases import layout_of, release_of

h5py = pytest.importorskip("h5py")

LAYERS = ["dense_%d" % number for number in range(1, 12)]


def file_of_keras_2(path, version, by_name, kinds=("kernel",), width=3):
    """Eleven equal Dense layers and SGD's velocities, as standalone Keras `version` saves them.

    Every velocity is filled with the number of its layer.
    """
    layers = [
        {"class_name": "Dense", "config": {"name": name, "units": width, "trainable": True}}
        for name in LAYERS
    ]
    names = ["%s/%s:0" % (layer, kind) for layer in LAYERS for kind in kinds]
    with h5py.File(path, "w") as opened:
        if version is not None:
            opened.attrs["keras_version"] = version.encode()
        config = {"class_name": "Sequential", "config": layers}
        opened.attrs["model_config"] = json.dumps(config).encode()
        optimizer = {"lr": 0.05, "momentum": 0.9, "decay": 0.0, "nesterov": False}
        training = {"optimizer_config": {"class_name": "SGD", "config": optimizer}, "loss": "mse"}
        opened.attrs["training_config"] = json.dumps(training).encode()
        model = opened.create_group("model_weights")
        model.attrs["layer_names"] = np.array(LAYERS, "S")
        for layer in LAYERS:
            group = model.create_group(layer)
            own = [name for name in names if name.startswith(layer + "/")]
            group.attrs["weight_names"] = np.array(own, "S")
            for name in own:
                shape = (width, width) if "kernel" in name else (width,)
                group[name] = np.zeros(shape, "f4")
        order = sorted(names) if by_name else names
        slots = opened.create_group("optimizer_weights")
        saved = ["SGD/iterations:0"] + ["SGD/slot_%d:0" % n for n in range(len(names))]
        slots.attrs["weight_names"] = np.array(saved, "S")
        slots[saved[0]] = np.float32(5)
        for name, owner in zip(saved[1:], order):
            shape = (width, width) if "kernel" in owner else (width,)
            slots[name] = np.full(shape, int(owner.split("/")[0].split("_")[1]), "f4")
    return path


def assert_every_velocity_is_at_its_layer(state, kinds=("kernel",)):
    assert [parameter.name for parameter in state.parameters] == [
        "%s/%s" % (layer, kind) for layer in LAYERS for kind in kinds
    ]
    for name, array in state.slots["velocity"].items():
        assert array.read().ravel()[0] == int(name.split("/")[0].split("_")[1]), name


@pytest.mark.parametrize(
    "version,by_name",
    [("2.0.0", True), ("2.0.5", True), ("2.0.6", False), ("2.0.10", False), ("2.2.4", False)],
)
@pytest.mark.parametrize("kinds", [("kernel",), ("kernel", "bias")])
def test_keras_before_2_0_6_has_its_slots_in_the_order_of_the_weights_names(
    version, by_name, kinds, tmp_path
):
    path = file_of_keras_2(str(tmp_path / "s.h5"), version, by_name, kinds)
    assert_every_velocity_is_at_its_layer(read(path), kinds)
    outcome = migrate(path, str(tmp_path / "t.h5"), "keras-2.2")
    assert not outcome.report.inexact
    assert_every_velocity_is_at_its_layer(read(str(tmp_path / "t.h5")), kinds)


def test_a_file_that_does_not_say_its_version_is_not_matched_where_two_orders_fit(tmp_path):
    path = file_of_keras_2(str(tmp_path / "s.h5"), None, True)
    with pytest.raises(CheckpointError, match="two orders"):
        read(path)


@pytest.mark.parametrize("version", ["2.0.0", "2.0.5"])
def test_a_reader_that_orders_by_name_gets_what_it_expects(version, tmp_path):
    source = file_of_keras_2(str(tmp_path / "s.h5"), "2.2.4", False)
    there = str(tmp_path / "t.h5")
    migrate(source, there, "keras-2.2", write_options={"keras_version": version})
    expected = file_of_keras_2(str(tmp_path / "expected.h5"), version, True)
    with h5py.File(there, "r") as ours, h5py.File(expected, "r") as theirs:
        assert ours.attrs["keras_version"] == version.encode()
        lists = []
        for opened in (ours, theirs):
            group = opened["optimizer_weights"]
            lists.append([group[name][()] for name in group.attrs["weight_names"]])
    for one, other in zip(*lists):
        np.testing.assert_array_equal(one, other)
    assert_every_velocity_is_at_its_layer(read(there))


def test_slots_are_not_ordered_by_names_that_are_not_known(tmp_path):
    state = read(file_of_keras_2(str(tmp_path / "s.h5"), "2.2.4", False))
    with pytest.raises(CheckpointError, match="--model FILE"):
        write(state, str(tmp_path / "t.h5"), "keras-2.2", keras_version="2.0.5")


def test_a_release_is_found_by_its_numbers():
    assert release_of(layouts.KERAS_2_2, "2.0.10").slot_order == "model"
    assert release_of(layouts.KERAS_2_2, "2.0.5").slot_order == "name"
    assert release_of(layouts.TF_KERAS_1_10, "2.0.5-tf").slot_order == "model"
    assert release_of(layouts.TF_KERAS_1_10, "2.1.5-tf").clipnorm == "common"
    assert release_of(layouts.TF_KERAS_1_10, "2.1.6-tf").clipnorm == "unknown"
    assert layout_of({"lr": 1}, "2.0.5", []) is layouts.KERAS_2_2
