"""Modules that stand for others in `sys.modules`, and what is below a package there."""

import importlib
import pkgutil
import sys
from types import ModuleType
from typing import Any, Dict, List

from keras_optimizers.scripts.removed import Removed, RemovedNameError

# Packages that expect the TensorFlow that is installed, also while they run.
_OF_TENSORFLOW_2 = frozenset(
    ("tensorflow", "keras", "tf_keras", "tensorflow_estimator", "tensorboard", "tensorflow_io")
)
# Modules of TensorFlow 1 that are gone as a whole.
GONE = ("contrib", "examples", "estimator")


class StandIn(ModuleType):
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
        super().__init__(name, getattr(real, "__doc__", None))
        vars(self).update(
            _first=first, _real=real, _version=version, _special=special, __version__=version
        )
        for attribute in ("__path__", "__file__", "__spec__", "__loader__", "__package__"):
            if hasattr(real, attribute):
                vars(self)[attribute] = getattr(real, attribute)

    def put(self, name: str, value: Any) -> None:
        """Add a name that is neither module's."""
        self._special[name] = value

    def __getattr__(self, name: str) -> Any:
        if is_of_tensorflow_2(sys._getframe(1).f_globals.get("__name__", "")):
            return getattr(self._real, name)
        if name in self._special:
            return self._special[name]
        for module in (self._first, self._real):
            try:
                return getattr(module, name)
            except AttributeError:
                continue
        called = "tf" if self.__name__ == "tensorflow" else self.__name__
        if self.__name__ == "tensorflow" and name in GONE:
            return Removed(f"{called}.{name}", self._version, self._first)
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        raise RemovedNameError(f"{called}.{name}", self._version)

    def __dir__(self) -> List[str]:
        return sorted(set(dir(self._first)) | set(dir(self._real)) | set(self._special))


def is_of_tensorflow_2(module: str) -> bool:
    """Whether a module, by its name, expects the TensorFlow that is installed."""
    return module.split(".")[0] in _OF_TENSORFLOW_2


def modules_below(package: Any, name: str) -> Dict[str, Any]:
    """`package` and all its public modules, by the names that they have below `name`."""
    found = {name: package}
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        found[name + module.name[len(package.__name__) :]] = importlib.import_module(module.name)
    return found


def loaded_below(package: Any, name: str) -> Dict[str, Any]:
    """`package` and those of its modules that are loaded, by their names below `name`."""
    prefix = package.__name__ + "."
    found = {name: package}
    for loaded, module in list(sys.modules.items()):
        if loaded.startswith(prefix):
            found[f"{name}.{loaded[len(prefix) :]}"] = module
    return found
