"""A model of Keras 2.2.4 on Theano, with turned kernels; see theano/record.py."""

import os
import shutil

import h5py
import numpy as np
import pytest

from keras_optimizers.checkpoint import migrate, read
from keras_optimizers.checkpoint.architecture.theano_kernels import is_turned, turned_layers
from keras_optimizers.checkpoint.storage import hdf5
from tests.checkpoint.theano import record

MODEL = os.path.join(record.FOLDER, "model.h5")


def expected(name):
    return np.load(os.path.join(record.FOLDER, "expected.npz"))[name]


@pytest.mark.parametrize("target", ["keras-optimizers", "keras-2.2"])
def test_a_converted_model_predicts_and_trains_on_as_on_theano(target, tmp_path):
    """In `tf.keras`: 10 steps from the state that was saved. Theano rounds otherwise."""
    tf = pytest.importorskip("tensorflow.compat.v1")
    import keras_optimizers

    path = str(tmp_path / "model.h5")
    outcome = migrate(MODEL, path, target, strict=True)
    assert outcome.written and "turned by 180 degrees" in str(outcome.report)
    if target != "keras-optimizers":  # tf.keras reads the files of its own release alone
        migrate(path, str(tmp_path / "again.h5"), "keras-optimizers", strict=True)
        path = str(tmp_path / "again.h5")
    with keras_optimizers.install(tf.keras):
        model = tf.keras.models.load_model(path)
    images = record.batch(0)[0]
    np.testing.assert_allclose(model.predict(images), expected("saved"), rtol=0, atol=1e-6)
    for step in range(record.SAVE_AFTER, record.SAVE_AFTER + record.MORE):
        model.train_on_batch(*record.batch(step))
    np.testing.assert_allclose(model.predict(images), expected("final"), rtol=0, atol=1e-5)


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
    with h5py.File(MODEL, "r") as opened:
        raw = {}
        opened["model_weights"].visititems(
            lambda name, item: raw.update({name: item}) if isinstance(item, h5py.Dataset) else None
        )
        raw = {name.split("/", 1)[1].split(":")[0]: item[()] for name, item in raw.items()}
    changed = {
        one.name
        for one in read(MODEL).parameters
        if not np.array_equal(one.value.read(), raw[one.name])
    }
    assert {name.split("/")[0].rstrip("_0123456789") for name in changed} == {
        "conv2d",
        "conv2d_transpose",
        "conv3d",
        "time_distributed",
    }
    assert len(changed) == 6 and all(name.endswith("kernel") for name in changed)


def layer(class_name, name, **more):
    return {"class_name": class_name, "config": dict(more, name=name)}


def test_a_convolution_is_found_in_wrappers_and_models():
    own, dense = layer("Convolution2D", "own"), layer("Dense", "d")
    inner = layer("Sequential", "inner", layers=[own, dense])
    config = layer(
        "Sequential",
        "outer",
        layers=[
            layer("TimeDistributed", "often", layer=layer("Conv1D", "once")),
            layer("Bidirectional", "both", layer=layer("ConvLSTM2D", "cell")),
            layer("TimeDistributed", "model", layer=inner),
            layer("SeparableConv2D", "separable"),
            layer("LocallyConnected2D", "local"),
        ],
    )
    layers = turned_layers(config)
    assert layers == {"often", "once", "both", "cell", "own"}
    assert is_turned("often/kernel:0", "often", (3, 2, 4), layers)
    assert is_turned("both/forward_cell/recurrent_kernel_1:0", "both", (3, 3, 2, 4), layers)
    assert is_turned("own/kernel", "model", (3, 3, 2, 4), layers)
    assert not is_turned("own/bias", "model", (4,), layers)
    assert not is_turned("d/kernel", "model", (3, 4), layers)
    assert not is_turned("separable/depthwise_kernel", "separable", (3, 3, 2, 4), layers)
    assert turned_layers(None) == turned_layers({"config": 3}) == set()
