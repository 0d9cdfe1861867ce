"""The table of changed defaults is what the recordings say."""

import pytest

from keras_optimizers.changed_defaults import CHANGES
from keras_optimizers.conformance import references
from keras_optimizers.conformance.recorder import cases, hosts
from keras_optimizers.reference import OPTIMIZERS


def plain_config(recording, class_name):
    """The recorded config of a class that was given nothing."""
    for name, case in cases.CASES.items():
        is_plain = not case.arguments and case.floatx == "float32"
        if case.class_name == class_name and is_plain and not recording.refusal(name):
            config = dict(recording.trace(name).config)
            config["lr"] = config.get("lr", config.get("learning_rate"))
            return config
    return None


@pytest.mark.parametrize("class_name", list(OPTIMIZERS))
def test_every_default_that_differs_in_a_recording_is_in_the_table(class_name):
    found = set()
    for version in hosts.REFERENCES:
        config = plain_config(references.load_reference(version), class_name)
        for argument, default in OPTIMIZERS[class_name].defaults.items():
            held = None if config is None else config.get(argument)
            if isinstance(held, (bool, int, float)) and held != pytest.approx(default, rel=1e-5):
                found.add((argument, version, float("%.6g" % held)))
    # OptimizerV2's Nadam has one argument for two things, and shows it as `decay`.
    table = {
        (change.argument, version, change.value)
        for change in CHANGES
        for version in change.versions
        if class_name in change.classes
        and plain_config(references.load_reference(version), class_name) is not None
    }
    assert found == table


def test_the_words_name_the_packages_of_the_versions():
    for change in CHANGES:
        packages = {"keras" if v.startswith("keras-") else "tf.keras" for v in change.versions}
        assert packages == set(change.where)
