"""TensorFlow 1's interface under the name `tensorflow`, while a script of TensorFlow 1 runs.

The script's file, and what is installed, stay as they are: modules in `sys.modules` are replaced,
and put back at the end. TensorFlow's own files go on to see TensorFlow 2.
"""

import contextlib
import importlib
import importlib.util
import pkgutil
import sys
from types import ModuleType
from typing import Any, Dict, Iterator, List, Optional

from keras_optimizers.scripts.removed import Removed, RemovedModuleError, RemovedNameError

# Packages that expect the TensorFlow that is installed, also while they run.
_OF_TENSORFLOW_2 = frozenset(
    ("tensorflow", "keras", "tf_keras", "tensorflow_estimator", "tensorboard", "tensorflow_io")
)
# Modules of TensorFlow 1 that are gone as a whole.
_GONE = ("contrib", "examples", "estimator")
# Where Keras 2 had what `keras.api` names now: modules that scripts import from.
_FORMER_MODULES = {
    "engine": "keras",
    "engine.topology": "layers",
    "engine.training": "models",
    "layers.advanced_activations": "layers",
    "layers.convolutional": "layers",
    "layers.core": "layers",
    "layers.embeddings": "layers",
    "layers.merge": "layers",
    "layers.noise": "layers",
    "layers.normalization": "layers",
    "layers.pooling": "layers",
    "layers.recurrent": "layers",
    "layers.wrappers": "layers",
    "legacy.interfaces": "utils",
    "objectives": "losses",
    "utils.data_utils": "utils",
    "utils.generic_utils": "utils",
    "utils.io_utils": "utils",
    "utils.layer_utils": "utils",
    "utils.np_utils": "utils",
    "utils.vis_utils": "utils",
}


def prepare() -> None:
    """Before TensorFlow is imported: let `tf.keras` be Keras 2, where that is installed beside."""
    import os

    if importlib.util.find_spec("tf_keras") is not None:
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


def is_installed() -> bool:
    """Whether the TensorFlow that is imported is one of TensorFlow 1."""
    return importlib.import_module("tensorflow").__version__.startswith("1.")


class _StandIn(ModuleType):
    """A module whose names are those of TensorFlow 1, and then all others of the real module.

    Arguments:
        first: the module with TensorFlow 1's names.
        real: the module that is installed.
        version: of TensorFlow, for the errors.
        special: names that are neither's.
    """

    def __init__(
        self, name: str, first: Any, real: Any, version: str, special: Dict[str, Any]
    ) -> None:
        super().__init__(name, real.__doc__)
        vars(self).update(
            _first=first, _real=real, _version=version, _special=special, __version__=version
        )
        for attribute in ("__path__", "__file__", "__spec__", "__loader__", "__package__"):
            if hasattr(real, attribute):
                vars(self)[attribute] = getattr(real, attribute)

    def __getattr__(self, name: str) -> Any:
        if _is_of_tensorflow_2(sys._getframe(1).f_globals.get("__name__", "")):
            return getattr(self._real, name)
        if name in self._special:
            return self._special[name]
        for module in (self._first, self._real):
            try:
                return getattr(module, name)
            except AttributeError:
                continue
        called = "tf" if self.__name__ == "tensorflow" else self.__name__
        if self.__name__ == "tensorflow" and name in _GONE:
            return Removed(f"{called}.{name}", self._version)
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        raise RemovedNameError(f"{called}.{name}", self._version)

    def __dir__(self) -> List[str]:
        return sorted(set(dir(self._first)) | set(dir(self._real)) | set(self._special))


def _is_of_tensorflow_2(module: str) -> bool:
    return module.split(".")[0] in _OF_TENSORFLOW_2


class _GoneFinder:
    """Says plainly that a module such as `tensorflow.contrib` is gone, when it is imported."""

    def __init__(self, version: str) -> None:
        self._version = version

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Part of the import system's protocol; it finds nothing, or raises."""
        parts = name.split(".")
        if parts[0] == "tensorflow" and len(parts) > 1 and parts[1] in _GONE:
            raise RemovedModuleError(".".join(["tf"] + parts[1:]), self._version)


@contextlib.contextmanager
def in_place_of_tensorflow(keras_too: bool = False) -> Iterator[None]:
    """Context in which `import tensorflow` gives TensorFlow 1's interface, in graph mode.

    Arguments:
        keras_too: whether `import keras` gives the Keras 2 that belongs to this TensorFlow.
    """
    real = importlib.import_module("tensorflow")
    first = importlib.import_module("tensorflow.compat.v1")
    from keras_optimizers.tensorflow_private import KERAS, RELEASE

    first.disable_v2_behavior()
    with contextlib.suppress(ImportError):  # it looks for `tensorflow` while it runs
        importlib.import_module("tensorflow_estimator.python.estimator.api._v1.estimator")
    special = {"keras": KERAS, "compat": real.compat}
    put: Dict[str, Any] = {
        "tensorflow": _StandIn("tensorflow", first, real, real.__version__, special)
    }
    put.update(_modules_below(KERAS, "tensorflow.keras"))
    # Scripts import the private Keras, too; that of TensorFlow 2 is a copy no one trains with.
    source = importlib.import_module(RELEASE.source)
    put.update(_loaded_below(source, "tensorflow.python.keras"))
    if keras_too:
        put.update(_modules_below(KERAS, "keras"))
        installed = sys.modules.get("keras")
        own = {"src": getattr(installed, "src", None)} if installed else {}
        put["keras"] = _StandIn("keras", KERAS, installed or KERAS, real.__version__, own)
        for former, today in _FORMER_MODULES.items():
            target = KERAS if today == "keras" else getattr(KERAS, today)
            put.setdefault(f"keras.{former}", target)
    finder: Any = _GoneFinder(real.__version__)
    python = importlib.import_module("tensorflow.python")
    before = {name: sys.modules.get(name) for name in put}
    private_keras = getattr(python, "keras", None)
    sys.modules.update(put)
    sys.meta_path.insert(0, finder)
    vars(python)["keras"] = source
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        _restore(before)
        vars(python)["keras"] = private_keras


def _modules_below(package: Any, name: str) -> Dict[str, Any]:
    """`package` and all its public modules, by the names that they have below `name`."""
    found = {name: package}
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        found[name + module.name[len(package.__name__) :]] = importlib.import_module(module.name)
    return found


def _loaded_below(package: Any, name: str) -> Dict[str, Any]:
    """`package` and those of its modules that are loaded, by their names below `name`."""
    prefix = package.__name__ + "."
    found = {name: package}
    for loaded, module in list(sys.modules.items()):
        if loaded.startswith(prefix):
            found[f"{name}.{loaded[len(prefix) :]}"] = module
    return found


def _restore(before: Dict[str, Optional[ModuleType]]) -> None:
    for name, module in before.items():
        if module is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = module
