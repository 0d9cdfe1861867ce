"""The optimizers of Keras 2 as TensorFlow 1.10 had them, for TensorFlow 1.15 and 2 in graph mode.

`import keras_optimizers as optimizers` stands in for
`from tensorflow.python.keras import optimizers`.

TensorFlow is imported when one of these names is first used, so that `keras_optimizers.checkpoint`
works, and its commands start at once, without it.
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Dict, List

from keras_optimizers.catalog import ALIASES as _ALIASES
from keras_optimizers.catalog import OPTIMIZERS as _OPTIMIZERS
from keras_optimizers.tensorflow_releases import SUPPORTED as _SUPPORTED
from keras_optimizers.tensorflow_releases import release_of as _release_of

if TYPE_CHECKING:  # for type checkers and editors, which cannot follow `_Package`
    from keras_optimizers.adadelta import Adadelta as Adadelta
    from keras_optimizers.adagrad import Adagrad as Adagrad
    from keras_optimizers.adam import Adam as Adam
    from keras_optimizers.adamax import Adamax as Adamax
    from keras_optimizers.base import Optimizer as Optimizer
    from keras_optimizers.install import install as install
    from keras_optimizers.install import uninstall as uninstall
    from keras_optimizers.install import use_host as use_host
    from keras_optimizers.nadam import Nadam as Nadam
    from keras_optimizers.registry import deserialize as deserialize
    from keras_optimizers.registry import get as get
    from keras_optimizers.registry import serialize as serialize
    from keras_optimizers.rmsprop import RMSprop as RMSprop
    from keras_optimizers.sgd import SGD as SGD
    from keras_optimizers.tf_optimizer import TFOptimizer as TFOptimizer

    sgd = SGD
    rmsprop = RMSprop
    adagrad = Adagrad
    adadelta = Adadelta
    adam = Adam
    adamax = Adamax
    nadam = Nadam

__version__ = "0.1.0"

# Which module defines a name.
_MODULES: Dict[str, str] = dict(
    _OPTIMIZERS,
    Optimizer="base",
    TFOptimizer="tf_optimizer",
    deserialize="registry",
    get="registry",
    serialize="registry",
    install="install",
    uninstall="install",
    use_host="install",
)

# Parts that are attributes of the package and need no TensorFlow.
_PARTS = ("checkpoint", "conformance", "numpy_rules")

__all__ = sorted([*_MODULES, *_ALIASES])


class _Package(ModuleType):
    """A module that imports its names when they are asked for.

    A function `__getattr__` in the module would do the same, but Python 3.6 does not call it.
    """

    def __getattr__(self, name: str) -> Any:
        if name in _PARTS:
            return importlib.import_module(f"{self.__name__}.{name}")
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
        return sorted(set(super().__dir__()) | set(__all__) | set(_PARTS))


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
        import tensorflow
    except (AttributeError, ImportError) as error:
        if importlib.util.find_spec("tensorflow") is not None:
            raise ImportError(
                f"keras_optimizers.{name} needs TensorFlow, which is installed and cannot be "
                f"imported: {error}. {_repair(str(error))}{without}"
            ) from error
        raise ImportError(
            f"keras_optimizers.{name} needs {_SUPPORTED} (this is Python {sys.version_info[0]}."
            f"{sys.version_info[1]}): {error}. Install it: `{_installation()}`. {without}"
        ) from error
    version = getattr(tensorflow, "__version__", "0.0 (unknown)")
    if _release_of(version) is None:
        raise ImportError(
            f"keras_optimizers.{name} needs {_SUPPORTED}, here is {version}. Install one of them: "
            f"`{_installation()}`. {without}"
        )
    try:
        importlib.import_module(f"{__name__}.tensorflow_private")
    except ImportError as error:
        raise ImportError(f"keras_optimizers.{name}: {error} {without}") from error


def _repair(said: str) -> str:
    """What helps where TensorFlow cannot be imported, as a sentence; "" where that is not known."""
    if "numpy" not in said and "_ARRAY_API" not in said:
        return ""
    return "If NumPy is newer than this TensorFlow: `pip install 'numpy<2'`. "


def _installation() -> str:
    """The command that installs a TensorFlow for this Python."""
    if sys.version_info < (3, 8):
        return "pip install 'tensorflow>=1.15,<1.16' 'protobuf<3.21'"
    return "pip install tensorflow tf_keras"


sys.modules[__name__].__class__ = _Package
