"""What is read from real files is what the real packages say they saved."""

import json
import os

import numpy as np
import pytest

from keras_optimizers.checkpoint import CheckpointError, fitting, migrate, read
from keras_optimizers.checkpoint.eras import layouts, weight_lists
from keras_optimizers.checkpoint.report import Report
from tests.checkpoint import files
from tests.checkpoint.files import problem

TRAINED = {
    "sequential": [
        "first/kernel",
        "first/bias",
        "normalization/gamma",
        "normalization/beta",
        "last/kernel",
        "last/bias",
    ],
    # The layer "fixed" has the very shapes of the layer "free".
    "functional": ["free/kernel", "free/bias", "output/kernel", "output/bias"],
}


@pytest.mark.parametrize("era,case", files.PLAIN)
def test_class_steps_and_parameters_are_those_of_the_training(era, case):
    class_name, arguments, kind = problem.CASES[case]
    state = read(files.source(era, case))
    assert state.class_name == class_name
    assert state.provenance.format == files.FORMAT_OF[era]
    assert [parameter.name for parameter in state.parameters] == TRAINED[kind]
    expected = problem.SAVE_AFTER if files.counts_steps(era, case) else None
    assert state.iterations == expected
    for name, value in arguments.items():
        if name == "clipnorm" and era in ("keras-2.2", "keras-2.3"):
            name = "global_clipnorm"  # its meaning there
        assert state.hyperparameters[name] == pytest.approx(value, rel=1e-6), name


@pytest.mark.parametrize("era,case", files.PLAIN)
def test_slots_are_bit_for_bit_what_the_optimizer_held(era, case):
    layout = layouts.LAYOUTS[files.FORMAT_OF[era]]
    state = read(files.source(era, case))
    held = files.arrays(era, case, "state")
    if state.class_name == "Nadam" and layout is layouts.TF_KERAS_1_10 and era != "tf-keras-1.10":
        layout = layouts.KERAS_OPTIMIZERS  # 1.15's old class and ours keep m_schedule
    fitted = fitting.fit(state, layout, Report())
    weights = [weight.array.read() for weight in weight_lists.arrange(layout, fitted)]
    if era == "tf-keras-2.15" and len(held) == len(weights) + 1:
        del held[1]  # the learning rate is a variable and not saved
    assert len(weights) == len(held)
    for ours, theirs in zip(weights, held):
        assert ours.shape == theirs.shape
        np.testing.assert_array_equal(ours, theirs.astype(ours.dtype))


@pytest.mark.parametrize("era,case", files.PLAIN)
def test_parameters_have_the_model_s_values(era, case):
    state = read(files.source(era, case))
    saved = files.arrays(era, case, "saved")
    for parameter in state.parameters:
        value = parameter.value.read()
        same = [one for one in saved if one.shape == value.shape and np.array_equal(one, value)]
        assert same, parameter.name


@pytest.mark.parametrize("case", files.TF110_CASES)
def test_the_state_in_a_file_of_tensorflow_110_is_its_bits(case):
    import h5py

    path = os.path.join(files.TF110, case + ".h5")
    state = read(path)
    with h5py.File(path, "r") as opened:
        group = opened["optimizer_weights"]
        held = [group[name][()] for name in group.attrs["weight_names"]]
    fitted = fitting.fit(state, layouts.TF_KERAS_1_10, Report())
    weights = weight_lists.arrange(layouts.TF_KERAS_1_10, fitted)
    assert len(held) == len(weights)
    for weight, value in zip(weights, held):
        np.testing.assert_array_equal(weight.array.read(), value)


def test_a_file_without_an_optimizer_says_so(tmp_path):
    import h5py

    path = str(tmp_path / "weights.h5")
    with h5py.File(path, "w") as opened:
        opened.attrs["layer_names"] = np.zeros(0, "S1")
    with pytest.raises(CheckpointError, match="holds no optimizer"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_checkpoint_says_so(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="Cannot read"):
        read(str(path))


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(CheckpointError, match="There is no file"):
        read(str(tmp_path / "none.h5"))


def changed(tmp_path, change, era="tf-keras-1.10", case="adam"):
    """A copy of a source whose training config went through `change`."""
    import h5py

    path = str(tmp_path / "changed.h5")
    with open(files.source(era, case), "rb") as original, open(path, "wb") as copy:
        copy.write(original.read())
    with h5py.File(path, "r+") as opened:
        written = opened.attrs["training_config"]
        config = json.loads(written.decode() if isinstance(written, bytes) else written)
        change(config["optimizer_config"])
        opened.attrs["training_config"] = json.dumps(config).encode()
    return path


def test_an_optimizer_without_a_counterpart_is_named(tmp_path):
    path = changed(tmp_path, lambda config: config.update(class_name="Lion"))
    with pytest.raises(CheckpointError, match="'Lion', which has no counterpart"):
        read(path)


def test_the_slots_must_fit_the_class(tmp_path):
    path = changed(tmp_path, lambda config: config.update(class_name="Adagrad"))
    with pytest.raises(CheckpointError, match="Cannot read"):
        read(path)


def test_clipnorm_of_early_tf_keras_is_of_all_gradients_together(tmp_path):
    import h5py

    path = changed(tmp_path, lambda config: config["config"].update(clipnorm=2.0))
    with h5py.File(path, "r+") as opened:
        opened.attrs["keras_version"] = b"2.1.5-tf"
    assert read(path).hyperparameters["global_clipnorm"] == 2.0


def test_clipnorm_of_an_ambiguous_version_is_never_called_exact(tmp_path):
    path = changed(tmp_path, lambda config: config["config"].update(clipnorm=2.0))
    assert read(path).hyperparameters["clipnorm"] == 2.0
    (entry,) = migrate(path, str(tmp_path / "t.h5"), "keras-optimizers").report.inexact
    assert entry.field == "clipnorm" and "tf.keras 1.9" in entry.explanation


@pytest.mark.parametrize("name", ["clipnorm", "global_clipnorm"])
def test_a_user_who_knows_the_meaning_of_clipnorm_settles_it(name, tmp_path):
    path = changed(tmp_path, lambda config: config["config"].update(clipnorm=2.0))
    outcome = migrate(path, str(tmp_path / "t.h5"), "keras-optimizers", values={name: 2.0})
    assert not outcome.report.inexact
    clipping = [n for n in outcome.state.hyperparameters if "clipnorm" in n]
    assert clipping == [name]


def test_no_clipping_in_standalone_keras_is_a_clipnorm_of_zero(tmp_path):
    path = changed(tmp_path, lambda config: config["config"].update(clipnorm=0.0), "keras-2.3")
    assert "global_clipnorm" not in read(path).hyperparameters


def test_adam_of_the_first_kerases_has_no_third_group(tmp_path):
    import h5py

    path = changed(tmp_path, lambda config: config["config"].pop("amsgrad"))
    with h5py.File(path, "r+") as opened:
        names = opened["optimizer_weights"].attrs["weight_names"]
        opened["optimizer_weights"].attrs["weight_names"] = names[:13]
    state = read(path)
    assert sorted(state.slots) == ["first_moment", "second_moment"]


def test_the_first_keras_counts_steps_in_a_float(tmp_path):
    import h5py

    path = changed(tmp_path, lambda config: None, "keras-2.2")
    with h5py.File(path, "r+") as opened:
        group = opened["optimizer_weights"]
        name = group.attrs["weight_names"][0].decode()
        del group[name]
        group[name] = np.float32(20)
    assert read(path).iterations == 20


def test_names_that_keras_split_over_several_attributes_are_joined(tmp_path):
    import h5py

    path = changed(tmp_path, lambda config: None)
    with h5py.File(path, "r+") as opened:
        group = opened["optimizer_weights"]
        names = group.attrs["weight_names"]
        del group.attrs["weight_names"]
        group.attrs["weight_names0"], group.attrs["weight_names1"] = names[:7], names[7:]
    assert len(read(path).slots["first_moment"]) == 6
