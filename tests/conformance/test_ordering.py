"""Reads and writes without order are found, and put in order for recordings."""

import pytest

import keras_optimizers
from keras_optimizers.conformance.recorder import cases, training
from keras_optimizers.conformance.recorder.hosts import Host
from tests.training import upstream

DECAYING = {"SGD": "sgd_decay", "RMSprop": "rmsprop_decay", "Adam": "adam_decay", "Nadam": "nadam"}


def make(module, class_name, problem="fed gradients"):
    case = cases.CASES[DECAYING[class_name]]._replace(problem=problem)
    return training.Training(Host.of_tf_keras(), getattr(module, class_name), case)


@pytest.mark.parametrize("class_name", sorted(DECAYING))
def test_upstream_races_and_its_races_are_removed(class_name):
    run = make(upstream, class_name)
    names = {race.variable.op.name.rpartition("/")[2] for race in run.find_races()}
    assert names & {"iterations", "m_schedule", "Variable"}
    run.put_in_order()
    assert run.find_races() == []


@pytest.mark.parametrize("problem", ["fed gradients", "dense net", "lookups"])
@pytest.mark.parametrize("class_name", sorted(DECAYING))
def test_ours_never_race(class_name, problem):
    assert make(keras_optimizers, class_name, problem).find_races() == []
