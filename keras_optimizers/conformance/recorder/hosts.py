"""The packages whose optimizers are recorded: where each has its classes, backend and names."""

import importlib
import os
import sys
from typing import Any, Dict, List, NamedTuple, Optional

Reference = NamedTuple(
    "Reference",
    [
        ("name", str),
        ("title", str),
        ("tensorflow", str),  # the release that is recorded
        ("keras", Optional[str]),  # the release of the package `keras` or `tf_keras`
        ("optimizers", str),  # the module of the classes
        ("python", str),
        ("requirements", List[str]),  # what pip installs for it
        ("optimizer_v2", bool),
        ("package", str),  # where Keras is: "tensorflow", "keras" or "tf_keras"
    ],
)

_OLD = ["h5py<3", "protobuf<3.20", "numpy<1.19"]


def _tf(version: str, release: str, python: str, optimizers: str, more: str = "") -> Reference:
    name = "tf-%s%s" % (version, more and "-" + more)
    title = "tf.keras of TensorFlow %s" % release
    title += {"": "", "v2": ", OptimizerV2"}[more]
    needs = ["tensorflow==" + release] + (["protobuf<3.21"] if version == "1.15" else _OLD)
    v2 = more == "v2"
    return Reference(name, title, release, None, optimizers, python, needs, v2, "tensorflow")


def _keras(version: str, tensorflow: str, python: str) -> Reference:
    title = "standalone Keras %s on TensorFlow %s" % (version, tensorflow)
    needs = ["tensorflow==" + tensorflow, "keras==" + version] + _OLD
    name, optimizers = "keras-" + version, "keras.optimizers"
    return Reference(name, title, tensorflow, version, optimizers, python, needs, False, "keras")


_PRIVATE = "tensorflow.python.keras.optimizers"
_PUBLIC = "tensorflow.keras.optimizers"
# In the order of their age.
_ALL = [
    _keras("2.0.9", "1.8.0", "3.6"),
    _tf("1.4", "1.4.1", "3.6", _PUBLIC),
    _keras("2.1.6", "1.9.0", "3.6"),
    _tf("1.8", "1.8.0", "3.6", _PUBLIC),
    _tf("1.10", "1.10.0", "3.6", _PUBLIC),
    _keras("2.2.4", "1.10.0", "3.6"),
    _tf("1.12", "1.12.3", "3.6", _PUBLIC),
    _tf("1.13", "1.13.2", "3.7", _PUBLIC),
    _tf("1.14", "1.14.0", "3.7", _PRIVATE),
    _tf("1.15", "1.15.5", "3.7", _PRIVATE),
    _keras("2.3.1", "1.15.5", "3.7"),
    _tf("1.14", "1.14.0", "3.7", _PUBLIC, "v2"),
    _tf("1.15", "1.15.5", "3.7", _PUBLIC, "v2"),
    Reference(
        "tf-2.15-v1",
        "the old classes inside TensorFlow 2.15.1 (optimizer_v1)",
        "2.15.1",
        None,
        "optimizer_v1",
        "3.11",
        ["tensorflow-cpu==2.15.1"],
        False,
        "tensorflow",
    ),
    Reference(
        "tf-keras-2.21-v1",
        "the old classes inside tf_keras 2.21.0 (optimizer_v1), on TensorFlow 2.21.0",
        "2.21.0",
        "2.21.0",
        "optimizer_v1",
        "3.11",
        ["tensorflow-cpu==2.21.0", "tf_keras==2.21.0"],
        False,
        "tf_keras",
    ),
    Reference(
        "tf-2.15-legacy",
        "tf.keras.optimizers.legacy of TensorFlow 2.15.1",
        "2.15.1",
        None,
        "tensorflow.keras.optimizers.legacy",
        "3.11",
        ["tensorflow-cpu==2.15.1"],
        True,
        "tensorflow",
    ),
]
REFERENCES: Dict[str, Reference] = {reference.name: reference for reference in _ALL}


class Host:
    """A Keras: its backend, constraints and, for a reference, its optimizers' module.

    Attributes:
        tf: TensorFlow with the names of version 1.
        backend, constraints: the modules of the Keras.
        optimizers: the module with the classes; None where they come from elsewhere.
    """

    def __init__(self, tf: Any, keras: Any, optimizers: Any = None, backend: Any = None) -> None:
        self.tf, self.keras, self.optimizers = tf, keras, optimizers
        self.backend = backend or keras.backend
        self.constraints = keras.constraints

    @classmethod
    def of_reference(cls, reference: Reference) -> "Host":
        """The host of an upstream version, which must be the one that is installed.

        Raises:
            ValueError: If another version is installed.
        """
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        os.environ["KERAS_BACKEND"] = "tensorflow"
        os.environ["TF_USE_LEGACY_KERAS"] = "1" if reference.package == "tf_keras" else "0"
        tf = importlib.import_module("tensorflow")
        _check_version("tensorflow", tf.__version__, reference.tensorflow, reference)
        if reference.keras is not None:
            keras = importlib.import_module(reference.package)
            _check_version(reference.package, keras.__version__, reference.keras, reference)
        if reference.package == "keras":
            one = tf.compat.v1 if reference.tensorflow.startswith("1.15") else tf
            return cls(one, keras, keras.optimizers)
        if reference.tensorflow.startswith("2."):
            tf.compat.v1.disable_eager_execution()
            if reference.optimizers == "optimizer_v1":
                optimizers = _optimizer_v1(reference.package)
            else:
                optimizers = tf.keras.optimizers.legacy
            return cls(tf.compat.v1, tf.keras, optimizers, tf.compat.v1.keras.backend)
        if reference.optimizers == _PRIVATE:
            optimizers = importlib.import_module(_PRIVATE)
        elif reference.optimizer_v2:
            optimizers = tf.keras.optimizers
        else:  # the public module lacks some names, such as TFOptimizer
            optimizers = sys.modules[tf.keras.optimizers.SGD.__module__]
        one = tf.compat.v1 if reference.tensorflow.startswith("1.15") else tf
        return cls(one, tf.keras, optimizers)

    @classmethod
    def of_tf_keras(cls) -> "Host":
        """`tf.keras` of the TensorFlow that is installed, in graph mode.

        Raises:
            ImportError: Without TensorFlow.
            RuntimeError: Under eager execution.
        """
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        tf = importlib.import_module("tensorflow.compat.v1")
        if tf.executing_eagerly():
            raise RuntimeError(
                "The conformance kit works in graph mode. Call "
                "tf.compat.v1.disable_eager_execution() before anything else."
            )
        tf.logging.set_verbosity(tf.logging.ERROR)
        return cls(tf, tf.keras)

    @classmethod
    def of_keras(cls) -> "Host":
        """Standalone Keras 2 as it is installed, on TensorFlow 1.

        Raises:
            ImportError: Without Keras.
        """
        os.environ["KERAS_BACKEND"] = "tensorflow"
        tf = importlib.import_module("tensorflow.compat.v1")
        tf.logging.set_verbosity(tf.logging.ERROR)
        return cls(tf, importlib.import_module("keras"))


def versions() -> Dict[str, str]:
    """What is installed, as far as it is imported."""
    found = {"python": "%d.%d.%d" % sys.version_info[:3]}
    for name in ("numpy", "tensorflow", "keras", "tf_keras"):
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "__version__"):
            found[name] = module.__version__
    return found


def _optimizer_v1(package: str) -> Any:
    """The module of the old classes, in `tf_keras` or in the `keras` that TensorFlow brings."""
    inside = "tf_keras" if package == "tf_keras" else "keras"
    return importlib.import_module(inside + ".src.optimizers.optimizer_v1")


def _check_version(package: str, found: str, wanted: str, reference: Reference) -> None:
    if found != wanted:
        raise ValueError(
            "%s is %s %s, and here is %s. Install: pip install %s"
            % (reference.name, package, wanted, found, " ".join(map(repr, reference.requirements)))
        )
