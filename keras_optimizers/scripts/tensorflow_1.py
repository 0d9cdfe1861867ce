"""TensorFlow 1's interface under the name `tensorflow`, while a script of TensorFlow 1 runs.

The script's file, and what is installed, stay as they are: modules in `sys.modules` are replaced,
and put back at the end. TensorFlow's own files go on to see TensorFlow 2.
"""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import logging
import os
import pkgutil
import re
import sys
from types import ModuleType
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from keras_optimizers.scripts.removed import (
    Removed,
    RemovedModuleError,
    RemovedNameError,
    explained,
)

# Packages that expect the TensorFlow that is installed, also while they run.
_OF_TENSORFLOW_2 = frozenset(
    ("tensorflow", "keras", "tf_keras", "tensorflow_estimator", "tensorboard", "tensorflow_io")
)
# Modules of TensorFlow 1 that are gone as a whole.
_GONE = ("contrib", "examples", "estimator")
_GONE_MODULES = tuple(f"tensorflow.{name}" for name in _GONE)
# Modules of standalone Keras 2, by the public module that has their names now.
_FORMER_MODULES = {
    "layers": {
        "layers": [
            "advanced_activations",
            "convolutional",
            "core",
            "embeddings",
            "merge",
            "noise",
            "normalization",
            "pooling",
            "recurrent",
            "wrappers",
        ],
        "engine": ["base_layer", "input_layer", "topology"],
    },
    "losses": {"": ["objectives"]},
    "models": {"engine": ["network", "sequential", "training"]},
    "utils": {
        "utils": [
            "data_utils",
            "generic_utils",
            "io_utils",
            "layer_utils",
            "np_utils",
            "vis_utils",
        ],
    },
}


# Modules whose functions only pass a name on to where it is looked up.
_LOOKING_UP = ("importlib", "keras_optimizers.", "tensorflow.python.util.module_wrapper")


def prepare() -> None:
    """Before TensorFlow is imported: let `tf.keras` be Keras 2, where that is installed beside."""
    if importlib.util.find_spec("tf_keras") is not None:
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


def is_installed() -> bool:
    """Whether the TensorFlow that is imported is one of TensorFlow 1."""
    return importlib.import_module("tensorflow").__version__.startswith("1.")


def graph_mode() -> None:
    """Make TensorFlow 2 behave as TensorFlow 1 does, where it is installed."""
    with contextlib.suppress(ImportError):
        if not is_installed():
            _disable_v2_behavior()


def _disable_v2_behavior() -> None:
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)  # without the warning that the call itself is deprecated
    importlib.import_module("tensorflow.compat.v1").disable_v2_behavior()
    logger.setLevel(level)


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
        super().__init__(name, getattr(real, "__doc__", None))
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
            return Removed(f"{called}.{name}", self._version, self._first)
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        raise RemovedNameError(f"{called}.{name}", self._version)

    def __dir__(self) -> List[str]:
        return sorted(set(dir(self._first)) | set(dir(self._real)) | set(self._special))


def _is_of_tensorflow_2(module: str) -> bool:
    return module.split(".")[0] in _OF_TENSORFLOW_2


class _GoneFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Says plainly that a module such as `tensorflow.contrib.slim` is gone, when it is imported.

    `tensorflow.contrib.rnn` is found, for most of its names were those of `tf.nn.rnn_cell`.
    """

    def __init__(self, version: str, tensorflow_1: Any) -> None:
        self._version, self._tensorflow_1 = version, tensorflow_1

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Part of the import system's protocol: a module's spec, None, or an error."""
        parts = name.split(".")
        if parts[0] != "tensorflow" or len(parts) < 2 or parts[1] not in _GONE:
            return None
        wanted = _imported_name() or f"tf.{parts[1]}"
        if wanted != "tf.contrib" and not wanted.startswith("tf.contrib.rnn"):
            raise RemovedModuleError(wanted, self._version)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> Any:
        """The module of a spec of `find_spec`."""
        stands_for = "tf." + spec.name.split(".", 1)[1]
        removed = Removed(stands_for, self._version, self._tensorflow_1)
        return _StandIn(spec.name, removed, removed, self._version, {})

    def exec_module(self, module: Any) -> None:
        """Nothing is left to do."""


def _imported_name() -> Optional[str]:
    """What the statement that runs imports, in full: the import system asks for parents first."""
    frame: Any = sys._getframe(2)
    while frame is not None and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back
    if frame is None:
        return None
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    found = re.search(r"tensorflow\.([\w.]+)(?:\s+import\s+(\w+))?", line)
    return ".".join(["tf"] + [part for part in found.groups() if part]) if found else None


@contextlib.contextmanager
def in_place_of_tensorflow(
    keras_too: bool = False, optimizers: Optional[Dict[str, Any]] = None
) -> Iterator[None]:
    """Context in which `import tensorflow` gives TensorFlow 1's interface, in graph mode.

    Arguments:
        keras_too: whether `import keras` gives the Keras 2 that belongs to this TensorFlow.
        optimizers: names that `keras.optimizers` then has besides, with what they mean.
    """
    real = importlib.import_module("tensorflow")
    first = importlib.import_module("tensorflow.compat.v1")
    from keras_optimizers.tensorflow_private import KERAS, KERAS_VERSION, RELEASE

    _disable_v2_behavior()
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
    added = _moved_names(KERAS, source)
    if keras_too:
        put.update(_standalone_keras(KERAS, KERAS_VERSION))
        added += _names_of_standalone_keras(KERAS, source, optimizers or {})
    finder: Any = _GoneFinder(real.__version__, first)
    python = importlib.import_module("tensorflow.python")
    before = {name: sys.modules.get(name) for name in put}
    private_keras = getattr(python, "keras", None)
    sys.modules.update(put)
    sys.meta_path.insert(0, finder)
    vars(python)["keras"] = source
    replaced = _add(added)
    names = _names_in_scripts(put, "keras" if keras_too else "tensorflow.keras")

    def name_of(module: str) -> Optional[str]:
        """What scripts call a module, such as tf.train; None for one of other packages."""
        public = re.sub(r"^tensorflow\._api\.v2(\.compat\.v1)?", "tensorflow", module)
        name = names.get(module, public)
        return re.sub("^tensorflow", "tf", name) if _is_of_tensorflow_2(name) else None

    try:
        yield
    except (AttributeError, ImportError) as error:
        missing = explained(error, name_of, real.__version__, keras_too)
        if missing is None or _is_raised_in_tensorflow(error):
            raise
        raise missing.with_traceback(error.__traceback__) from None
    finally:
        _take_back(replaced)
        sys.meta_path.remove(finder)
        _restore(before)
        for name in [name for name in sys.modules if name.startswith(_GONE_MODULES)]:
            del sys.modules[name]
        vars(python)["keras"] = private_keras


def _names_in_scripts(put: Dict[str, Any], preferred: str) -> Dict[str, str]:
    """The names by which scripts import modules, by the modules' own names.

    Arguments:
        put: the modules, by the former.
        preferred: what a name begins with where a module has several; then the shortest is taken.
    """
    names: Dict[str, str] = {}
    for name in sorted(put, key=lambda one: (one.startswith(preferred), -len(one))):
        names[getattr(put[name], "__name__", name)] = name
    return names


def _is_raised_in_tensorflow(error: BaseException) -> bool:
    """Whether a file of TensorFlow, and not the script or a library, looked up what is missing."""
    traceback, module = error.__traceback__, ""
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__", "")
        if not name.startswith(_LOOKING_UP):
            module = name
        traceback = traceback.tb_next
    return _is_of_tensorflow_2(module)


def _standalone_keras(keras: Any, version: str) -> Dict[str, Any]:
    """The modules that scripts of standalone Keras 2 import, by name."""
    put = _modules_below(keras, "keras")
    installed = sys.modules.get("keras")
    special: Dict[str, Any] = {"src": getattr(installed, "src", None)}
    for today, former in _FORMER_MODULES.items():
        module = getattr(keras, today)
        for parent, children in former.items():
            if not parent:
                special.update(dict.fromkeys(children, module))
                put.update((f"keras.{child}", module) for child in children)
                continue
            real = getattr(keras, parent, module)
            if parent not in special:
                special[parent] = _StandIn(f"keras.{parent}", real, real, version, {})
            for child in children:
                special[parent]._special[child] = put[f"keras.{parent}.{child}"] = module
            put[f"keras.{parent}"] = special[parent]
    put["keras"] = _StandIn("keras", keras, installed or keras, version, special)
    return put


# A module, a name that is missing in it, and what the name means.
_Addition = Tuple[Any, str, Any]


def _moved_names(keras: Any, source: Any) -> List[_Addition]:
    """Names of TensorFlow 1's private Keras that only the public one has now."""
    name = f"{source.__name__}.preprocessing.sequence"
    with contextlib.suppress(ImportError, AttributeError):
        return [(importlib.import_module(name), "pad_sequences", keras.utils.pad_sequences)]
    return []


def _names_of_standalone_keras(
    keras: Any, source: Any, optimizers: Dict[str, Any]
) -> List[_Addition]:
    """Names of standalone Keras 2 that the Keras of TensorFlow 2 has not, or has otherwise."""
    compute = keras.backend.function

    def function(inputs: Any, outputs: Any, updates: Any = None, **more: Any) -> Any:
        """`K.function`, which in Keras 2.2 needs no outputs where there are updates."""
        if not updates or not isinstance(outputs, (list, tuple)) or len(outputs):
            return compute(inputs, outputs, updates, **more)
        placeholder = importlib.import_module("tensorflow.compat.v1").constant(0.0)
        run = compute(inputs, [placeholder], updates, **more)
        return lambda values: run(values)[1:]

    added: List[_Addition] = [(keras.backend, "function", function)]
    for name in ("layers.merging.base_merge", "layers.merge"):
        with contextlib.suppress(ImportError, AttributeError):
            base = importlib.import_module(f"{source.__name__}.{name}")._Merge
            added.append((keras.layers, "_Merge", base))
            break
    known = vars(keras.optimizers)
    return added + [(keras.optimizers, *one) for one in optimizers.items() if one[0] not in known]


def _add(additions: Sequence[_Addition]) -> List[_Addition]:
    """Give modules names; what they had under these names before."""
    before = [(module, name, vars(module).get(name)) for module, name, _ in additions]
    for module, name, value in additions:
        setattr(module, name, value)
    return before


def _take_back(before: Sequence[_Addition]) -> None:
    for module, name, value in before:
        if value is None:
            delattr(module, name)
        else:
            setattr(module, name, value)


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
