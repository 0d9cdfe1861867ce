"""The optimizers of Keras 2 as TensorFlow 1.10 had them, for TensorFlow 1.15 and 2 in graph mode.

`import keras_optimizers as optimizers` stands in for
`from tensorflow.python.keras import optimizers`.

TensorFlow is imported when one of these names is first used, so that `keras_optimizers.checkpoint`
works, and its commands start at once, without it.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, List

from keras_optimizers.tensorflow_releases import SUPPORTED

if TYPE_CHECKING:
    from keras_optimizers.adadelta import Adadelta
    from keras_optimizers.adagrad import Adagrad
    from keras_optimizers.adam import Adam
    from keras_optimizers.adamax import Adamax
    from keras_optimizers.base import Optimizer
    from keras_optimizers.install import install, uninstall, use_host
    from keras_optimizers.nadam import Nadam
    from keras_optimizers.registry import deserialize, get, serialize
    from keras_optimizers.rmsprop import RMSprop
    from keras_optimizers.sgd import SGD
    from keras_optimizers.tf_optimizer import TFOptimizer

    # The reference module's aliases.
    sgd = SGD
    rmsprop = RMSprop
    adagrad = Adagrad
    adadelta = Adadelta
    adam = Adam
    adamax = Adamax
    nadam = Nadam

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "Adamax",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "TFOptimizer",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "deserialize",
    "get",
    "install",
    "nadam",
    "rmsprop",
    "serialize",
    "sgd",
    "uninstall",
    "use_host",
]

# Which module defines a name. The aliases are named as the modules are.
_MODULES = {
    "SGD": "sgd",
    "RMSprop": "rmsprop",
    "Adagrad": "adagrad",
    "Adadelta": "adadelta",
    "Adam": "adam",
    "Adamax": "adamax",
    "Nadam": "nadam",
    "Optimizer": "base",
    "TFOptimizer": "tf_optimizer",
    "deserialize": "registry",
    "get": "registry",
    "serialize": "registry",
    "install": "install",
    "uninstall": "install",
    "use_host": "install",
}
_ALIASES = {
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "adam": "Adam",
    "adamax": "Adamax",
    "nadam": "Nadam",
}


class _Package(ModuleType):
    """A module that imports its names when they are asked for.

    A `__getattr__` in the module would do, but Python 3.6 does not know it.
    """

    def __getattr__(self, name: str) -> Any:
        defined = _ALIASES.get(name, name)
        if defined not in _MODULES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        _require_tensorflow(name)
        value = getattr(importlib.import_module(f"{self.__name__}.{_MODULES[defined]}"), defined)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # The import system binds a submodule to its name here; the public names come first.
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> List[str]:
        return sorted(set(super().__dir__()) | set(__all__))


def _require_tensorflow(name: str) -> None:
    """Say plainly what is missing, instead of failing somewhere inside.

    Raises:
        ImportError: If no TensorFlow is there that has what is needed.
    """
    without = (
        "Without it there are keras_optimizers.checkpoint and the commands inspect, migrate and "
        "verify."
    )
    try:
        importlib.import_module("tensorflow")
    except ImportError as error:
        raise ImportError(
            f"keras_optimizers.{name} needs {SUPPORTED} (this is Python {sys.version_info[0]}."
            f"{sys.version_info[1]}): {error}. Install it: `{_installation()}`. {without}"
        ) from error
    try:
        importlib.import_module(f"{__name__}.tensorflow_private")
    except ImportError as error:
        raise ImportError(f"keras_optimizers.{name}: {error} {without}") from error


def _installation() -> str:
    """The command that installs a TensorFlow for this Python."""
    if sys.version_info < (3, 8):
        return "pip install 'tensorflow>=1.15,<1.16' 'protobuf<3.21'"
    return "pip install tensorflow tf_keras"


sys.modules[__name__].__class__ = _Package
