"""Arguments whose defaults differ between versions: what r1.10 has is in `reference`.

`tests/conformance/test_changed_defaults.py` derives the same from the recordings.
"""

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from keras_optimizers.reference import OPTIMIZERS


class Change(NamedTuple):
    """One argument that has another default elsewhere.

    Attributes:
        argument: its name in r1.10.
        classes: the classes for which it holds.
        value: the other default.
        where: in words the versions that have it, by package: "tf.keras" and "keras".
        versions: those among the recorded ones.
    """

    argument: str
    classes: Tuple[str, ...]
    value: Any
    where: Dict[str, str]
    versions: Tuple[str, ...]


_OPTIMIZER_V2 = ("tf-1.14-v2", "tf-1.15-v2", "tf-2.15-legacy")
CHANGES = (
    Change(
        "lr",
        ("Adagrad", "Adadelta", "Adamax", "Nadam"),
        0.001,
        {"tf.keras": "tf.keras from TensorFlow 1.14 on"},
        _OPTIMIZER_V2,
    ),
    Change(
        "epsilon",
        tuple(name for name in OPTIMIZERS if "epsilon" in OPTIMIZERS[name].defaults),
        1e-8,
        {"keras": "Keras 2.0", "tf.keras": "tf.keras of TensorFlow 1.4"},
        ("keras-2.0.9", "tf-1.4"),
    ),
)


def of_optimizer_v2(class_name: str) -> Dict[str, Any]:
    """The defaults of an OptimizerV2 class that are not r1.10's, by r1.10's names."""
    return {
        change.argument: change.value
        for change in CHANGES
        if change.versions == _OPTIMIZER_V2 and class_name in change.classes
    }


def changes_in(version: str) -> List[Change]:
    """The defaults that a recorded version, such as "tf-1.15-v2", has otherwise than r1.10."""
    return [change for change in CHANGES if version in change.versions]


def sentences(
    class_name: str,
    missing: Dict[str, Any],
    remedy: str,
    changes: Sequence[Change] = CHANGES,
    package: str = "",
) -> List[str]:
    """One sentence for each argument that nobody gave and whose default is another elsewhere.

    Arguments:
        missing: the arguments that are not given, with the values that are used.
        remedy: how to give one, with {argument} and {value} for the other default.
        changes: those that matter.
        package: "tf.keras" or "keras", to leave out what only the other has; "" for both.
    """
    found = []
    for change in changes:
        used = missing.get(change.argument, change.value)
        places = [words for of, words in change.where.items() if package in ("", of)]
        if class_name in change.classes and used != change.value and places:
            told = remedy.format(argument=change.argument, value=f"{change.value:g}")
            found.append(
                f"{class_name} without {change.argument}: {used:g} is used, as in TensorFlow 1.10; "
                f"in {' and '.join(places)} the default is {change.value:g}. {told}"
            )
    return found
