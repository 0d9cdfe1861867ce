"""Put our classes where a host Keras looks for its own, and take them out again."""

from types import ModuleType
from typing import Any, Callable, Dict, List, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers import registry
from keras_optimizers.base import Optimizer
from keras_optimizers.hosts import STANDALONE, TF_KERAS, Host, choose, current
from keras_optimizers.tensorflow_private import is_keras_3, optimizer_modules
from keras_optimizers.tf_optimizer import TFOptimizer

_SUPPORTED = (
    "`tf.keras` of TensorFlow 1.15, standalone Keras 2.2 and 2.3 (`import keras`), and in "
    "TensorFlow 2 its Keras 2: `tf.keras` up to 2.15, then `tf_keras`"
)

# Names now held by ours: (module, name, original), in the order they were replaced.
_replaced: List[Tuple[ModuleType, str, Any]] = []
# The host into which they are installed, and the one that was current before.
_installed_hosts: List[Tuple[Any, Host]] = []


class Installation:
    """What `install` and `use_host` return: `uninstall()` it, or use it as a context manager."""

    def __init__(self, undo: Callable[[], Any]) -> None:
        self._undo = undo

    def uninstall(self) -> None:
        """Restore everything that was changed; harmless when repeated."""
        undo, self._undo = self._undo, _nothing
        undo()

    def __enter__(self) -> "Installation":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.uninstall()


def _nothing() -> None:
    pass


def use_host(host: Any) -> Installation:
    """Make the optimizers from now on for the models of a host Keras.

    `model.compile(keras_optimizers.Adam(...))` then works in that host: optimizers go by its
    session, its precision, the names of its arguments and its meaning of `clipnorm`. Optimizers
    that exist already stay with the host they were made for. Nothing in the host changes.

    Arguments:
        host: `tf.keras`, or the module of standalone Keras 2.2 or 2.3.

    Returns:
        A handle: the host before comes back with `uninstall()`, or at the end of a `with` block.

    Raises:
        ValueError: If `host` is no supported Keras, or does not run on TensorFlow.

    Examples:
        >>> import tensorflow as tf
        >>> import keras_optimizers
        >>> with keras_optimizers.use_host(tf.keras):
        ...     optimizer = keras_optimizers.Adam()
        >>> isinstance(optimizer, tf.keras.optimizers.Optimizer)
        False
    """
    before = choose(_host_of(host))
    return Installation(lambda: choose(before))


def install(host: Any = None) -> Installation:
    """Make a host Keras use our optimizers.

    While installed, `host.optimizers.*`, names in `compile`, configs in `load_model` and the
    estimators built from Keras models give our classes. Optimizers that exist already stay as
    they are. What `use_host` does is done, too.

    Arguments:
        host: the Keras to install into: `tf.keras`, which is the default, or the module of
            standalone Keras 2.2 or 2.3.

    Returns:
        A handle with `uninstall()`, also a context manager. If ours are installed there already,
        nothing changes, and neither does uninstalling that second handle.

    Raises:
        ValueError: If `host` is no supported Keras, or ours are installed into another one.

    Examples:
        >>> import tensorflow as tf
        >>> import keras_optimizers
        >>> with keras_optimizers.install():
        ...     print(tf.keras.optimizers.Adam is keras_optimizers.Adam)
        True
        >>> tf.keras.optimizers.Adam is keras_optimizers.Adam
        False
    """
    chosen = _host_of(tf.keras if host is None else host)
    if _installed_hosts:
        before = _installed_hosts[0][0]
        if before.keras is not chosen.keras:
            raise ValueError(
                f"Cannot install into {chosen.name}: keras_optimizers is installed into "
                f"{before.name}. Call `keras_optimizers.uninstall()` first."
            )
        return Installation(_nothing)
    modules = optimizer_modules() if chosen is TF_KERAS else [chosen.keras.optimizers]
    _installed_hosts.append((chosen, choose(chosen)))
    for module in modules:
        for name, replacement in _replacements().items():
            original = getattr(module, name, None)
            submodule = isinstance(original, ModuleType)  # `keras.optimizers.adam` of Keras 2.12
            if not submodule and original is not None and original is not replacement:
                _replaced.append((module, name, original))
                setattr(module, name, replacement)
    return Installation(uninstall)


def uninstall() -> None:
    """Restore every name that `install` replaced, whoever called it; harmless when repeated.

    Examples:
        >>> import tensorflow as tf
        >>> import keras_optimizers
        >>> handle = keras_optimizers.install()
        >>> keras_optimizers.uninstall()
        >>> tf.keras.optimizers.Adam is keras_optimizers.Adam
        False
    """
    while _replaced:
        setattr(*_replaced.pop())
    while _installed_hosts:
        choose(_installed_hosts.pop()[1])


def _host_of(keras: Any) -> Host:
    """The host that a module is.

    Raises:
        ValueError: If it is none.
    """
    for known in [current(), TF_KERAS] + [host for host, _ in _installed_hosts]:
        if known.keras is keras:
            return known
    api = getattr(keras, "optimizers", None)
    name = getattr(api, "__name__", "")
    if any(api is module for module in optimizer_modules()):
        return TF_KERAS
    if is_keras_3(keras):
        raise ValueError(
            f"Cannot install into Keras {keras.__version__}: Keras 3 has no graph mode. Set the "
            "environment variable TF_USE_LEGACY_KERAS=1 before TensorFlow is imported (with "
            "`pip install tf_keras`), or `import tf_keras` and use that in place of `tf.keras`."
        )
    if name != "keras.optimizers":
        raise ValueError(f"Cannot install into {keras!r}: the supported hosts are {_SUPPORTED}.")
    version = keras.__version__
    make_host = STANDALONE.get(".".join(version.split(".")[:2]))
    if make_host is None:
        raise ValueError(
            f"Cannot install into Keras {version}: the supported hosts are {_SUPPORTED}. "
            "`pip install 'keras==2.3.1'` runs on TensorFlow 1.15."
        )
    engine = keras.backend.backend()
    if engine != "tensorflow":
        raise ValueError(
            f"Cannot install into Keras {version} on {engine}: keras_optimizers builds TensorFlow "
            "graphs. Set the environment variable KERAS_BACKEND=tensorflow."
        )
    _inherit_in_name(keras.optimizers)
    return make_host(keras)


def _inherit_in_name(module: Any) -> None:
    """Make our classes subclasses of another host's: its `compile` accepts nothing else.

    They stay so: it does no harm, and optimizers that exist already must stay what they are.
    """
    for ours, its in ((Optimizer, module.Optimizer), (TFOptimizer, module.TFOptimizer)):
        if not issubclass(ours, its):
            ours.__bases__ += (its,)


def _replacements() -> Dict[str, Any]:
    """Our public names that a host's module may hold too."""
    names: Dict[str, Any] = {"Optimizer": Optimizer}
    for alias, optimizer in registry.OPTIMIZERS.items():
        names[optimizer.__name__] = optimizer
        names[alias] = optimizer
    for function in (registry.serialize, registry.deserialize, registry.get):
        names[function.__name__] = function
    return names
