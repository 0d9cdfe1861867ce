"""Put our classes where a host Keras looks for its own, and take them out again."""

import importlib
from types import ModuleType
from typing import Any, Dict, List, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers import registry
from keras_optimizers.base import Optimizer

# The modules in which TensorFlow 1.15 keeps its optimizers:
_TF_KERAS_MODULES = (
    # private, and what `compile`, `load_model` and `clone_model` look names up in;
    "tensorflow.python.keras.optimizers",
    # what `from tensorflow.keras.optimizers import Adam` imports: not the same module as
    # `tf.keras.optimizers`, but a second copy of it.
    "tensorflow.keras.optimizers",
)

# Names now held by ours: (module, name, original), in the order they were replaced.
_replaced: List[Tuple[ModuleType, str, Any]] = []


class Installation:
    """What `install` returns: `uninstall()` it, or use it as a context manager."""

    def __init__(self, owner: bool) -> None:
        self._owner = owner

    def uninstall(self) -> None:
        """Restore every name that this installation replaced; harmless when repeated."""
        if self._owner:
            self._owner = False
            uninstall()

    def __enter__(self) -> "Installation":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.uninstall()


def install(host: Any = None) -> Installation:
    """Make a host Keras use our optimizers.

    While installed, `host.optimizers.*`, names in `compile`, configs in `load_model` and the
    estimators built from Keras models give our classes. Optimizers that exist already stay as
    they are.

    Arguments:
        host: the Keras to install into; `tf.keras`, which is the default.

    Returns:
        A handle with `uninstall()`, also a context manager. If ours are installed already,
        nothing changes, and neither does uninstalling that second handle.

    Raises:
        ValueError: If `host` is another Keras or no Keras at all.
    """
    host = tf.keras if host is None else host
    api = getattr(host, "optimizers", None)
    if getattr(api, "__name__", "") not in (tf.keras.optimizers.__name__, *_TF_KERAS_MODULES):
        raise ValueError(
            f"Cannot install into {host!r}: the supported host is `tf.keras` of TensorFlow 1.15."
        )
    if _replaced:
        return Installation(owner=False)
    for module in [tf.keras.optimizers] + [importlib.import_module(m) for m in _TF_KERAS_MODULES]:
        for name, replacement in _replacements().items():
            original = getattr(module, name, None)
            if original is not None and original is not replacement:
                _replaced.append((module, name, original))
                setattr(module, name, replacement)
    return Installation(owner=True)


def uninstall() -> None:
    """Restore every name that `install` replaced, whoever called it; harmless when repeated."""
    while _replaced:
        setattr(*_replaced.pop())


def _replacements() -> Dict[str, Any]:
    """Our public names that a host's module may hold too."""
    names: Dict[str, Any] = {"Optimizer": Optimizer}
    for alias, optimizer in registry.OPTIMIZERS.items():
        names[optimizer.__name__] = optimizer
        names[alias] = optimizer
    for function in (registry.serialize, registry.deserialize, registry.get):
        names[function.__name__] = function
    return names
