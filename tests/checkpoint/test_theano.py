"""Models of Keras 2.2.4 on Theano, with turned kernels; see theano/record.py."""

import json
import os
import shutil

import h5py
import numpy as np
import pytest

from keras_optimizers.checkpoint import CheckpointError, migrate, read
from keras_optimizers.checkpoint.architecture.theano_kernels import is_turned, kernel_layers
from keras_optimizers.checkpoint.storage import hdf5
from tests.checkpoint.theano import record

MODEL, RECURRENT = (os.path.join(record.FOLDER, name + ".h5") for name in record.MODELS)


def expected(name):
    return np.load(os.path.join(record.FOLDER, "expected.npz"))[name]


@pytest.mark.parametrize("name", record.MODELS)
@pytest.mark.parametrize("target", ["keras-optimizers", "keras-2.2"])
def test_a_converted_model_predicts_and_trains_on_as_on_theano(target, name, tmp_path):
    """In `tf.keras`: 10 steps from the state that was saved. Theano rounds otherwise."""
    tf = pytest.importorskip("tensorflow.compat.v1")
    import keras_optimizers

    path = str(tmp_path / "model.h5")
    source = os.path.join(record.FOLDER, name + ".h5")
    outcome = migrate(source, path, target, strict=True)
    assert outcome.written and "turned by 180 degrees" in str(outcome.report)
    if target != "keras-optimizers":  # tf.keras reads the files of its own release alone
        migrate(path, str(tmp_path / "again.h5"), "keras-optimizers", strict=True)
        path = str(tmp_path / "again.h5")
    with keras_optimizers.install(tf.keras):
        model = tf.keras.models.load_model(path)
    images = record.batch(0)[0]
    np.testing.assert_allclose(model.predict(images), expected(name + "_saved"), rtol=0, atol=1e-6)
    for step in range(record.SAVE_AFTER, record.SAVE_AFTER + record.MORE):
        model.train_on_batch(*record.batch(step))
    np.testing.assert_allclose(model.predict(images), expected(name + "_final"), rtol=0, atol=1e-5)


def test_other_files_of_the_model_hold_the_same_state(tmp_path):
    archive, back = str(tmp_path / "model.keras"), str(tmp_path / "back.h5")
    in_place = str(tmp_path / "theano.h5")
    shutil.copyfile(MODEL, in_place)
    assert migrate(MODEL, archive, "keras-3").written
    assert migrate(archive, back, "keras-2.2").written
    assert migrate(in_place, in_place, "keras-2.2", in_place=True).written
    first, second, third = read(MODEL), read(back), read(in_place)
    for state in (second, third):
        assert [one.shape for one in state.parameters] == [one.shape for one in first.parameters]
        for one, other in zip(first.parameters, state.parameters):
            assert np.array_equal(one.value.read(), other.value.read())
        for role in ("first_moment", "second_moment", "largest_second_moment"):
            for one, other in zip(first.slots[role].values(), state.slots[role].values()):
                assert np.array_equal(one.read(), other.read()), role
    with h5py.File(in_place, "r") as opened:
        assert hdf5.text(opened.attrs["backend"]) == "tensorflow"


def test_kernels_of_convolutions_alone_are_turned():
    with h5py.File(RECURRENT, "r") as opened:
        raw = {}
        opened["model_weights"].visititems(
            lambda name, item: raw.update({name: item}) if isinstance(item, h5py.Dataset) else None
        )
        raw = {name.split("/", 1)[1].split(":")[0]: item[()] for name, item in raw.items()}
    changed = {
        one.name
        for one in read(RECURRENT).parameters
        if not np.array_equal(one.value.read(), raw[one.name])
    }
    assert {name.split("/")[0].rstrip("_0123456789") for name in changed} == {
        "conv2d",
        "conv2d_transpose",
        "conv3d_transpose",
        "conv_lst_m2d",
        "conv3d",
        "time_distributed",
    }
    assert len(changed) == 9 and all(name.endswith("kernel") for name in changed)


def test_two_kernels_of_one_name_are_turned_each(tmp_path):
    """Models that are made apart and then nested can have weights of the same names."""
    path, target = str(tmp_path / "source.h5"), str(tmp_path / "target.h5")
    shutil.copyfile(MODEL, path)
    with h5py.File(path, "r+") as opened:
        weights = opened["model_weights"]
        (nested,) = (name for name in weights if name == "nested")
        (inner,) = (n for n in hdf5.names(weights[nested], "weight_names") if "kernel" in n)
        outer = next(n for n in hdf5.names(weights, "layer_names") if n.startswith("conv2d_"))
        names = hdf5.names(weights[outer], "weight_names")
        weights[outer][inner] = weights[outer][names[0]][()]
        hdf5.write_names(weights[outer], "weight_names", [inner, *names[1:]])
        raw = [weights[outer][inner][()], weights[nested][inner][()]]
    assert migrate(path, target, "keras-2.2", strict=True).written
    with h5py.File(target, "r") as opened:
        weights = opened["model_weights"]
        for value, layer_name in zip(raw, (outer, nested)):
            assert np.array_equal(weights[layer_name][inner][()], value[::-1, ::-1])
    before, after = read(MODEL), read(target)
    for role, slots in before.slots.items():
        for one, other in zip(slots.values(), after.slots[role].values()):
            assert np.array_equal(one.read(), other.read())


@pytest.mark.parametrize("unknown", ["a class", "the model"])
def test_a_kernel_that_may_be_a_convolution_s_or_not_is_refused(unknown, tmp_path):
    path = str(tmp_path / "source.h5")
    shutil.copyfile(MODEL, path)
    with h5py.File(path, "r+") as opened:
        config = hdf5.text(opened.attrs["model_config"])
        if unknown == "a class":
            config = config.replace('"class_name": "Conv3D"', '"class_name": "MyConv"')
        else:
            config = '{"class_name": "MyModel", "config": 3}'
        opened.attrs["model_config"] = config.encode()
    with pytest.raises(CheckpointError, match=r"on Theano wrote it.*cannot be told\. Load it"):
        read(path)


def test_a_model_that_pads_on_the_other_side_is_not_called_exact(tmp_path):
    path = str(tmp_path / "source.h5")
    shutil.copyfile(MODEL, path)
    with h5py.File(path, "r+") as opened:
        config = json.loads(hdf5.text(opened.attrs["model_config"]))
        (padded,) = (one for one in config["config"]["layers"] if one["name"] == "conv2d_2")
        padded["config"]["padding"] = "same"
        opened.attrs["model_config"] = json.dumps(config).encode()
    outcome = migrate(path, str(tmp_path / "new.h5"), "keras-2.2", strict=True)
    (entry,) = outcome.report.inexact
    assert not outcome.written and entry.field == "padding" and "conv2d_2" in entry.explanation


def layer(class_name, name, **more):
    return {"class_name": class_name, "config": dict(more, name=name)}


def test_a_convolution_is_found_in_wrappers_and_models():
    own, dense = layer("Convolution2D", "own"), layer("Dense", "d")
    inner = layer("Sequential", "inner", layers=[own, dense])
    twice = layer("TimeDistributed", "middle", layer=layer("Conv1D", "once"))
    config = layer(
        "Sequential",
        "outer",
        layers=[
            layer("TimeDistributed", "often", layer=twice),
            layer("Bidirectional", "both", layer=layer("ConvLSTM2D", "cell")),
            layer("TimeDistributed", "model", layer=inner),
            layer("SeparableConv2D", "separable"),
            layer("LocallyConnected2D", "local"),
        ],
    )
    layers = kernel_layers(config)
    assert layers.convolutions == {"often", "middle", "once", "both", "cell", "own"}
    assert layers.others == {"local"}
    assert is_turned("often/kernel:0", "often", (3, 2, 4), layers)
    assert is_turned("both/forward_cell/recurrent_kernel_1:0", "both", (3, 3, 2, 4), layers)
    assert is_turned("own/kernel", "model", (3, 3, 2, 4), layers)
    for name, owner, shape in (
        ("own/bias", "model", (4,)),
        ("d/kernel", "model", (3, 4)),
        ("separable/depthwise_kernel", "separable", (3, 3, 2, 4)),
        ("local/kernel", "local", (9, 8, 4)),
    ):
        assert is_turned(name, owner, shape, layers) is False
    assert is_turned("new/kernel", "new", (3, 3, 2, 4), layers) is None
    assert kernel_layers(None) == kernel_layers({"config": 3}) == (set(), set())
