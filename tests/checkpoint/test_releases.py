"""What is read from a release's file is what the real package held in memory when it saved.

Each slot was recorded with the object whose it is (see tests/eras/eras.py), not by a place in a
list. No package but NumPy and h5py is needed here.
"""

import json
import os

import numpy as np
import pytest

from keras_optimizers.checkpoint import read
from tests.checkpoint import files  # noqa: F401 (puts tests/eras on the path)

import archives  # noqa: E402
import problem  # noqa: E402

FILES = [
    (era, case)
    for era, facts in problem.RELEASE_ERAS.items()
    if facts.ending and archives.is_recorded(era)
    for case in problem.cases_of(era)
]
# Files that drop `iterations`, for these classes.
UNCOUNTED = ("RMSprop", "Adagrad", "Adadelta")
# Cases that are more than OptimizerState can say, and the arguments that it has no name for.
NOT_HYPERPARAMETERS = ("by_name", "untrained", "schedule", "loss_scale")


def recorded(era, case):
    """Arrays by name."""
    with np.load(archives.recorded_of(era, case)) as held:
        return {name: held[name] for name in held.files}


def slots_of(arrays):
    """{(role, index of the parameter among the model's values): array}."""
    found = {}
    for name, value in arrays.items():
        if name.startswith("slot_"):
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


@pytest.mark.parametrize("era,case", FILES)
def test_the_slots_are_those_of_their_parameters_to_the_bit(era, case):
    arrays = recorded(era, case)
    state = read(archives.file_of(era, case))
    indices = {parameter.name: index_of(parameter, arrays) for parameter in state.parameters}
    held = {(role, indices[name]): slot.read() for role, name, slot in state.arrays()}
    expected = slots_of(arrays)
    assert set(held) == set(expected)
    for key, value in expected.items():
        assert held[key].dtype == value.dtype, key
        np.testing.assert_array_equal(held[key], value, str(key))


@pytest.mark.parametrize("era,case", FILES)
def test_the_class_the_steps_and_the_release_are_told(era, case):
    class_name, arguments, _ = problem.ALL_CASES[case]
    state = read(archives.file_of(era, case))
    assert state.class_name == class_name.replace("AdamW", "Adam")
    assert state.provenance["format"] == problem.ERAS[era].format
    with open(os.path.join(archives.folder_of(era), "versions.json")) as opened:
        assert state.provenance["producer"] == "keras " + json.load(opened)["keras"]
    old = problem.ERAS[era].generation == "r1.10"
    done = 0 if "untrained" in arguments else problem.SAVE_AFTER
    if old and class_name in UNCOUNTED:
        assert state.iterations is None
    elif done:
        assert state.iterations == done
    else:
        assert not state.iterations


@pytest.mark.parametrize("era,case", FILES)
def test_the_hyperparameters_are_those_it_was_made_with(era, case):
    _, arguments, _ = problem.ALL_CASES[case]
    held = read(archives.file_of(era, case)).hyperparameters
    for name, value in arguments.items():
        if name == "clipnorm" and clips_the_common_norm(era):
            name = "global_clipnorm"
        if name == "schedule":
            check_schedule(held, value, arguments)
        elif name not in NOT_HYPERPARAMETERS and not ("schedule" in arguments and name == "lr"):
            assert held[name] == pytest.approx(value, rel=1e-6), name


def clips_the_common_norm(era):
    """Whether `clipnorm` meant the norm of all gradients together."""
    return (
        problem.ERAS[era].package == "keras"
        and era.startswith("keras-2.")
        or era
        in (
            "tf-1.4",
            "tf-1.8",
            "tf-1.9",
        )
    )


def check_schedule(held, schedule, arguments):
    """The schedule itself, or `decay`, which is one."""
    class_name, options = schedule
    if class_name == "InverseTimeDecay":
        assert held["lr"] == pytest.approx(arguments["lr"])
        assert held["decay"] == pytest.approx(options["decay_rate"] / options["decay_steps"])
        return
    written = held["learning_rate_schedule"]
    assert written["class_name"].split(">")[-1] == class_name
    for name, value in options.items():
        assert written["config"][name] == pytest.approx(value), name
