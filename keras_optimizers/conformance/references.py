"""What an optimizer is compared with: an upstream version, the NumPy rules, one's own recording."""

import os
import re
from typing import Any, Dict, List, Optional

import numpy as np

from keras_optimizers import numpy_rules
from keras_optimizers.conformance.recorder import cases, hosts, layouts, storage
from keras_optimizers.conformance.recorder.storage import Recording, RecordingError
from keras_optimizers.conformance.recorder.training import Trace
from keras_optimizers.suggestions import did_you_mean

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recordings")
# What our optimizers are: the old classes inside TensorFlow 1.15.
OURS = "tf-1.15"
# And what they are on TensorFlow 2.15 and later, whose square roots are others.
OURS_ON_TENSORFLOW_2 = "tf-2.15-v1"
NUMPY = "numpy"

__all__ = ["Recording", "RecordingError", "load_reference", "names"]

_loaded: Dict[str, Any] = {}


def names() -> List[str]:
    """The references that can be named, the oldest first.

    Examples:
        >>> from keras_optimizers import conformance
        >>> "tf-1.10" in conformance.names()
        True
    """
    shipped = [name for name in hosts.REFERENCES if os.path.exists(_path(name))]
    return shipped + [NUMPY]


def load_reference(name: str, square_roots: str = "") -> Any:
    """A reference by its name, or by the path of a recording.

    Arguments:
        name: such as "tf-1.10", "keras-2.2.4" or "numpy" (`names()` has all; "tf1.10" is the
            same), or the path of a `.json` file that was recorded.
        square_roots: this machine's (see `recorder.record.square_roots`). Where a version was
            recorded on several kinds of processors, the fitting recording is taken.

    Raises:
        ValueError: If there is no such reference.
        RecordingError: If the recording is damaged or foreign.

    Examples:
        >>> from keras_optimizers import conformance
        >>> reference = conformance.load_reference("tf-1.10")
        >>> reference.trace("sgd_decay").config["lr"]
        0.10000000149011612
    """
    known = {_plain(one): one for one in names()}
    if name.endswith(".json") or (_plain(name) not in known and os.path.exists(name)):
        if not os.path.exists(name):
            raise ValueError(f"There is no recording {name!r}. Make it with --record {name}.")
        return storage.load(name)
    if _plain(name) not in known:
        hint = did_you_mean(name, names())
        raise ValueError(f"Unknown reference {name!r}.{hint} There are: {', '.join(names())}.")
    canonical = known[_plain(name)]
    if canonical == NUMPY:
        return NumpyReference()
    path = _variant(canonical, square_roots)
    if path not in _loaded:
        _loaded[path] = storage.load(path)
    return _loaded[path]


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name.lower())


def _path(name: str) -> str:
    return os.path.join(FOLDER, name + ".json")


def _variant(name: str, square_roots: str) -> str:
    """The recording of `name` that was made with such square roots, if there is one."""
    for path in _variants(name) if square_roots else ():
        if storage.read_facts(path).get("square_roots") == square_roots:
            return path
    return _path(name)


def _variants(name: str) -> List[str]:
    """The recordings of the same version on other processors."""
    files = sorted(os.listdir(FOLDER))
    return [
        os.path.join(FOLDER, file)
        for file in files
        if file.startswith(name + "@") and file.endswith(".json")
    ]


def traces_of_other_processors(name: str, case: str) -> List[Trace]:
    """What the same version did in a case on other processors."""
    found = []
    for path in _variants(name):
        if path not in _loaded:
            _loaded[path] = storage.load(path)
        if case in _loaded[path].case_names():
            found.append(_loaded[path].trace(case))
    return found


class NumpyReference:
    """The rules of `keras_optimizers.numpy_rules`, applied to a case when it is asked for."""

    name = NUMPY
    path = ""

    def __init__(self) -> None:
        self.facts = {
            "name": NUMPY,
            "title": "the update rules in NumPy",
            "versions": {"numpy": np.__version__},
        }  # type: Dict[str, Any]

    def case_names(self) -> List[str]:
        """The cases that need no graph: gradients that are fed, and lookups."""
        return [
            name
            for name, case in cases.CASES.items()
            if case.problem in ("fed gradients", "extreme values", "lookups")
            and not case.max_norm
            # Where repeated rows meet clipping, the order of the two is the graph's.
            and not (case.problem == "lookups" and "clipvalue" in case.arguments)
        ]

    def refusal(self, case: str) -> Optional[List[str]]:
        """The rules refuse nothing."""
        return None

    def trace(self, case: str) -> Trace:
        """What the rules give.

        Raises:
            RecordingError: If the rules cannot be applied to the case.
        """
        if case not in self.case_names():
            raise RecordingError(f"the NumPy rules cannot be applied to the case {case!r}")
        made = cases.CASES[case]
        with np.errstate(all="ignore"):
            rows = [
                list(parameters) + [np.asarray(weight) for weight in weights]
                for parameters, weights in numpy_rules.run(
                    made.class_name,
                    cases.initial_values(made),
                    [fed_gradients(made, fed) for fed in cases.fed_values(made)],
                    **made.arguments,
                )
            ]
        count = len(cases.shapes(made))
        weights = layouts.name_weights(made.class_name, rows[-1][count:], count, len(rows))
        every = [f"parameter {index}" for index in range(count)] + weights
        arrays = {name: np.stack([row[i] for row in rows]) for i, name in enumerate(every)}
        return Trace(case, made.class_name, arrays, weights, None)


def fed_gradients(case: cases.Case, fed: List[np.ndarray]) -> List[np.ndarray]:
    """The gradients of a step for what is fed; those of lookups made dense."""
    if case.problem != "lookups":
        return fed
    table = np.zeros(cases.TABLE_SHAPES[0], case.floatx)
    np.add.at(table, fed[0], fed[1])
    return [table, fed[2]]
