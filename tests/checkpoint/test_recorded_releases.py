"""What is read from a release's file is what the real package held in memory when it saved.

Each slot was recorded with the object whose it is (see tests/eras/eras.py), not by a place in a
list. No package but NumPy and h5py is needed here.
"""

import json
import os

import numpy as np
import pytest

from keras_optimizers.checkpoint import CheckpointError, read
from tests.checkpoint.files import archives, problem

# Files that drop `iterations`, for these classes.
UNCOUNTED = ("RMSprop", "Adagrad", "Adadelta")
# Of a case's arguments, those that are no hyperparameters.
NOT_HYPERPARAMETERS = ("by_name", "untrained", "loss_scale", "ema_momentum")
# Four slots, eight weights of the same shapes, and no word of which were frozen.
AMBIGUOUS = "nested_frozen_adam"
RECORDED = [era for era in problem.RELEASE_ERAS if archives.is_recorded(era)]
OLD = [era for era in RECORDED if problem.ERAS[era].generation == "r1.10"]
V2 = [era for era in RECORDED if problem.ERAS[era].generation == "optimizer-v2"]
# Keras 2.4.3 has no code of its own: TensorFlow's writes the file. TensorFlow 1.8 shows none.
TOLD_BY_THE_FILE = {"keras-2.4.3": "2.4.0", "tf-1.8": "2.1.5-tf"}
# Archives into which legacy classes put none of their variables.
STATELESS = [era for era in V2 if problem.ERAS[era].ending == ".keras"]

# Files that are not read right yet: (eras, cases, tests, reason). Eras are parts of their names,
# cases their beginnings; the items are those of the list of foreign files and their causes.
KNOWN = []


def known(era, case, test):
    """The reason why a file is not read right yet; None where it is."""
    for eras, cases, tests, reason in KNOWN:
        if tests not in ("all", test):
            continue
        if any(one in era for one in eras) and any(case.startswith(one) for one in cases):
            return reason
    return None


def files_for(test):
    """All files; those that are not read right yet must fail."""
    for era in RECORDED:
        cases = problem.cases_of(era) if problem.ERAS[era].ending and era not in STATELESS else []
        for case in cases:
            reason = known(era, case, test)
            mark = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
            if not (case == AMBIGUOUS and era in OLD):
                yield pytest.param(era, case, marks=mark)


def recorded(era, case):
    """Arrays by name."""
    with np.load(archives.recorded_of(era, case)) as held:
        return {name: held[name] for name in held.files}


def slots_of(arrays):
    """{(role, index of the parameter among the model's values): array}."""
    found = {}
    for name, value in arrays.items():
        # Averages of the parameters are no state of the step.
        if name.startswith("slot_") and "_average_" not in name:
            role, _, index = name[len("slot_") :].rpartition("_")
            found[role, int(index)] = value
    return found


def index_of(parameter, arrays):
    """Which of the model's values a parameter is; no two are equal."""
    value = parameter.value.read()
    for name, saved in arrays.items():
        if name.startswith("saved_") and np.array_equal(saved, value):
            return int(name.rpartition("_")[2])
    raise AssertionError("no value of the model is that of %s" % parameter.name)


@pytest.mark.parametrize("era,case", files_for("slots"))
def test_the_slots_are_those_of_their_parameters_to_the_bit(era, case):
    arrays = recorded(era, case)
    state = read(archives.file_of(era, case))
    assert state.parameters
    indices = {parameter.name: index_of(parameter, arrays) for parameter in state.parameters}
    held = {(role, indices[name]): slot.read() for role, name, slot in state.arrays()}
    expected = slots_of(arrays)
    if "untrained" in problem.ALL_CASES[case][1] and not expected:
        # The new classes have made no slots yet; what they begin with is not in the file.
        expected = {key: np.full_like(value, 0.1) for key, value in held.items()}
    assert set(held) == set(expected)
    for key, value in expected.items():
        assert held[key].dtype == value.dtype, key
        np.testing.assert_array_equal(held[key], value, str(key))


@pytest.mark.parametrize("era,case", files_for("told"))
def test_the_class_the_steps_and_the_release_are_told(era, case):
    class_name, arguments, _ = problem.ALL_CASES[case]
    state = read(archives.file_of(era, case))
    assert state.class_name == class_name.replace("AdamW", "Adam")
    assert state.provenance.format == problem.ERAS[era].format
    assert state.provenance.producer == "keras " + version_of(era)
    if era in OLD and class_name in UNCOUNTED:
        assert state.iterations is None
    elif "untrained" in arguments:
        assert not state.iterations
    else:  # the first Keras 2.0 count steps only where there is decay
        assert state.iterations == int(recorded(era, case)["state_0"])


def version_of(era):
    """The version that the era's files name."""
    if era in TOLD_BY_THE_FILE:
        return TOLD_BY_THE_FILE[era]
    with open(os.path.join(archives.folder_of(era), "versions.json")) as opened:
        return json.load(opened)["keras"]


@pytest.mark.parametrize("era,case", files_for("hyperparameters"))
def test_the_hyperparameters_are_those_it_was_made_with(era, case):
    arguments = dict(problem.ALL_CASES[case][1])
    held = read(archives.file_of(era, case)).hyperparameters
    if "schedule" in arguments:
        check_schedule(held, arguments.pop("schedule"), arguments.pop("lr", None))
    for name, value in arguments.items():
        if name == "clipnorm" and clips_the_common_norm(era):
            name = "global_clipnorm"
        if name not in NOT_HYPERPARAMETERS:
            assert held[name] == pytest.approx(value, rel=1e-6), name


def clips_the_common_norm(era):
    """Whether `clipnorm` meant the norm of all gradients together, and the file tells it.

    It did in tf.keras 1.9 too, whose files look as those of 1.10 do.
    """
    return era in ("keras-2.0.5", "keras-2.0.9", "keras-2.1.6", "tf-1.4", "tf-1.8")


def check_schedule(held, schedule, rate):
    """The schedule itself, or `decay`, which is one."""
    class_name, options = schedule
    if class_name == "InverseTimeDecay":
        assert held["lr"] == pytest.approx(rate)
        assert held["decay"] == pytest.approx(options["decay_rate"] / options["decay_steps"])
        return
    written = held["learning_rate_schedule"]
    assert written["class_name"].split(">")[-1] == class_name
    for name, value in options.items():
        assert written["config"][name] == pytest.approx(value), name


@pytest.mark.parametrize("era", STATELESS)
def test_an_archive_without_the_legacy_optimizer_s_state_is_refused(era):
    for case in problem.cases_of(era):
        with pytest.raises(CheckpointError, match="holds no optimizer's variables"):
            read(archives.file_of(era, case))


@pytest.mark.parametrize("era", OLD)
def test_frozen_weights_that_the_file_does_not_tell_are_refused(era):
    with pytest.raises(CheckpointError, match=r"fit in more than one way|fit in no order"):
        read(archives.file_of(era, AMBIGUOUS))
