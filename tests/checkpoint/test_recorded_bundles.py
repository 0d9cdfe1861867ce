"""Object checkpoints and SavedModel directories of real releases: slots to the bit.

The counterpart of test_recorded_releases.py for what TensorFlow writes itself.
"""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from keras_optimizers.checkpoint import CheckpointError, migrate, read  # noqa: E402
from tests.checkpoint.files import archives, optimizer_v2, problem  # noqa: E402
from tests.checkpoint.test_recorded_releases import index_of, recorded, slots_of  # noqa: E402

# An HDF5 file of the same model by the same release, which tells the order of the parameters.
MODELS = {
    "object-2.4": "tf-2.4",
    "object-2.11": "tf-2.11",
    "object-2.14": "tf-2.14",
    "saved-model-2.0": "tf-2.0",
    "saved-model-2.4": "tf-2.4",
    "saved-model-2.10": "tf-2.10",
    "saved-model-2.11": "tf-2.11",
}


def files_for():
    return [(era, case) for era in MODELS for case in problem.cases_of(era)]


@pytest.mark.parametrize("era,case", files_for())
def test_the_slots_are_those_of_their_parameters_to_the_bit(era, case):
    arrays = recorded(era, case)
    class_name = problem.ALL_CASES[case][0]
    model = archives.file_of(MODELS[era], case)
    state = read(archives.file_of(era, case), model=model, class_name=class_name)
    assert state.class_name == class_name
    assert state.iterations == problem.SAVE_AFTER
    indices = {parameter.name: index_of(parameter, arrays) for parameter in state.parameters}
    held = {(role, indices[name]): slot.read() for role, name, slot in state.arrays()}
    expected = slots_of(arrays)
    assert set(held) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(held[key], value, str(key))


SAVED_MODELS = [era for era in MODELS if era.startswith("saved-model")]


@pytest.mark.parametrize("era", SAVED_MODELS)
@pytest.mark.parametrize("case", ["nested_adam", "rmsprop_both"])
def test_a_directory_tells_what_the_hdf5_file_of_the_same_release_tells(era, case):
    directory = read(archives.file_of(era, case))
    file = read(archives.file_of(MODELS[era], case))
    assert directory.class_name == file.class_name
    assert directory.hyperparameters == file.hyperparameters
    assert [one.name for one in directory.parameters] == [one.name for one in file.parameters]
    assert list(directory.variables) == list(file.variables)
    assert directory.provenance.format == file.provenance.format
    assert directory.provenance.producer == file.provenance.producer


@pytest.mark.parametrize("era", SAVED_MODELS)
def test_a_directory_becomes_a_file_with_its_model(era, tmp_path):
    source, target = archives.file_of(era, "nested_adam"), str(tmp_path / "model.h5")
    outcome = migrate(source, target, "optimizer-v2", strict=True)
    assert outcome.written
    loaded = tf.keras.models.load_model(target)
    expected = recorded(era, "nested_adam")
    for index, value in enumerate(loaded.get_weights()):
        np.testing.assert_array_equal(value, expected["saved_%d" % index])
    assert loaded.optimizer.get_weights()[0] == problem.SAVE_AFTER


def test_a_directory_lends_its_model(tmp_path):
    source = archives.file_of("object-2.4", "nested_adam")
    model = archives.file_of("saved-model-2.4", "nested_adam")
    target = str(tmp_path / "model.h5")
    options = {"class_name": "Adam", "model": model}
    migrate(source, target, "optimizer-v2", model=model, read_options=options)
    state = read(target)
    assert len(state.parameters) == 10
    assert state.iterations == problem.SAVE_AFTER


def saved_with_recurrent_and_frozen_layers(folder):
    """Such a model as a directory and as an HDF5 file."""
    tf.keras.backend.clear_session()
    layers = tf.keras.layers
    ids = layers.Input((3,), dtype="int32")
    inside = layers.Input((4,))
    held = layers.Dense(4, name="held", trainable=False)
    nested = tf.keras.Model(inside, layers.Dense(4)(layers.BatchNormalization()(held(inside))))
    recurrent = layers.Bidirectional(layers.GRU(2))(layers.Embedding(5, 4)(ids))
    model = tf.keras.Model(ids, layers.Dense(2)(nested(recurrent)))
    rate = 0.01
    model.compile(optimizer_v2("Adam")(rate, amsgrad=True, clipnorm=1.5), "mse")
    model.fit(np.arange(12).reshape(4, 3) % 5, np.ones((4, 2)), verbose=0)
    model.save(str(folder / "directory"), save_format="tf")
    model.save(str(folder / "file.h5"))
    return str(folder / "directory"), str(folder / "file.h5")


def test_recurrent_frozen_and_nested_layers_of_a_directory_keep_their_slots(tmp_path):
    directory, file = map(read, saved_with_recurrent_and_frozen_layers(tmp_path))
    assert directory.hyperparameters == file.hyperparameters
    found, expected = list(directory.arrays()), list(file.arrays())
    assert len(found) == len(expected) > 20
    for (role, name, held), (other_role, other_name, other) in zip(found, expected):
        assert (role, name) == (other_role, other_name)
        np.testing.assert_array_equal(held.read(), other.read())
    for name, value in file.variables.items():
        np.testing.assert_array_equal(directory.variables[name].read(), value.read())


def test_directories_without_an_optimizer_or_a_keras_model_are_refused(tmp_path):
    tf.keras.backend.clear_session()
    model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
    model.save(str(tmp_path / "uncompiled"), save_format="tf")
    with pytest.raises(CheckpointError, match=r"holds no optimizer\. Was the model saved before"):
        read(str(tmp_path / "uncompiled"))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variable = tf.compat.v1.get_variable("variable", (2,))
        session.run(variable.initializer)
        tf.compat.v1.saved_model.simple_save(
            session, str(tmp_path / "other"), {"x": variable}, {"y": variable}
        )
    with pytest.raises(CheckpointError, match="holds no Keras model"):
        read(str(tmp_path / "other"))


def test_a_directory_is_not_replaced_in_place():
    source = archives.file_of("saved-model-2.4", "adam")
    with pytest.raises(CheckpointError, match="is a directory"):
        migrate(source, source, "optimizer-v2", in_place=True)


NEW_OBJECTS = ["object-2.11", "object-2.14"]


@pytest.mark.parametrize("era", NEW_OBJECTS)
def test_the_new_optimizers_slots_find_their_parameters_without_a_model(era):
    state = read(archives.file_of(era, "nested_adam"))
    assert state.class_name == "Adam"
    arrays = recorded(era, "nested_adam")
    indices = {parameter.name: index_of(parameter, arrays) for parameter in state.parameters}
    held = {(role, indices[name]): slot.read() for role, name, slot in state.arrays()}
    expected = slots_of(arrays)
    assert set(held) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(held[key], value, str(key))


def test_what_a_new_optimizer_s_checkpoint_lacks_is_asked_for(tmp_path):
    source = archives.file_of("object-2.11", "rmsprop_both")
    model = archives.file_of("tf-2.11", "rmsprop_both")
    target = str(tmp_path / "model.h5")
    options = {"model": model}
    refused = migrate(
        source, target, "tf-keras-2.11", strict=True, model=model, read_options=options
    )
    assert not refused.written
    assert {"momentum", "rho"} <= {entry.field for entry in refused.report.inexact}
    given = {"momentum": 0.8, "rho": 0.9, "epsilon": 1e-7}
    done = migrate(
        source,
        target,
        "tf-keras-2.11",
        strict=True,
        values=given,
        model=model,
        read_options=options,
    )
    assert done.written
    converted, original = read(target), read(model)
    for (role, name, held), (other_role, other_name, other) in zip(
        converted.arrays(), original.arrays()
    ):
        assert (role, name) == (other_role, other_name)
        np.testing.assert_array_equal(held.read(), other.read())


def test_a_new_optimizer_of_an_unknown_name_needs_its_class(tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        names = {"iterations": "iteration", "slot": "mine/m/kernel"}
        made = {
            key: tf.compat.v1.get_variable(name, (), tf.int64 if key == "iterations" else None)
            for key, name in names.items()
        }
        optimizer = tf.compat.v1.train.Checkpoint(_iterations=made["iterations"])
        optimizer._variables = list(made.values())
        session.run(tf.compat.v1.global_variables_initializer())
        root = tf.compat.v1.train.Checkpoint(optimizer=optimizer)
        session.run(root.save_counter.initializer)
        path = root.save(str(tmp_path / "mine"), session=session)
    with pytest.raises(CheckpointError, match=r"its name is 'mine'\); give --class"):
        read(path)
    assert read(path, class_name="SGD").slots["velocity"]
