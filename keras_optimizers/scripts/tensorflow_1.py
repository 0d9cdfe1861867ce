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
import re
import sys
from types import ModuleType
from typing import Any, Dict, Iterator, Optional

from keras_optimizers.scripts import keras_2
from keras_optimizers.scripts.removed import Removed, RemovedModuleError, explained
from keras_optimizers.scripts.stand_in import (
    GONE,
    StandIn,
    is_of_tensorflow_2,
    loaded_below,
    modules_below,
)

_GONE_MODULES = tuple(f"tensorflow.{name}" for name in GONE)


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


class _GoneFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Says plainly that a module such as `tensorflow.contrib.slim` is gone, when it is imported.

    `tensorflow.contrib.rnn` is found, for most of its names were those of `tf.nn.rnn_cell`.
    """

    def __init__(self, version: str, tensorflow_1: Any) -> None:
        self._version, self._tensorflow_1 = version, tensorflow_1

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Part of the import system's protocol: a module's spec, None, or an error."""
        parts = name.split(".")
        if parts[0] != "tensorflow" or len(parts) < 2 or parts[1] not in GONE:
            return None
        wanted = _imported_name() or f"tf.{parts[1]}"
        if wanted != "tf.contrib" and not wanted.startswith("tf.contrib.rnn"):
            raise RemovedModuleError(wanted, self._version)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> Any:
        """The module of a spec of `find_spec`."""
        stands_for = "tf." + spec.name.split(".", 1)[1]
        removed = Removed(stands_for, self._version, self._tensorflow_1)
        return StandIn(spec.name, removed, removed, self._version, {})

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
        "tensorflow": StandIn("tensorflow", first, real, real.__version__, special)
    }
    put.update(modules_below(KERAS, "tensorflow.keras"))
    # Scripts import the private Keras, too; that of TensorFlow 2 is a copy no one trains with.
    source = importlib.import_module(RELEASE.source)
    put.update(loaded_below(source, "tensorflow.python.keras"))
    added = keras_2.moved_names(KERAS, source)
    if keras_too:
        put.update(keras_2.standalone_keras(KERAS, KERAS_VERSION))
        added += keras_2.names_of_standalone_keras(KERAS, source, optimizers or {})
    finder: Any = _GoneFinder(real.__version__, first)
    python = importlib.import_module("tensorflow.python")
    before = {name: sys.modules.get(name) for name in put}
    private_keras = getattr(python, "keras", None)
    sys.modules.update(put)
    sys.meta_path.insert(0, finder)
    vars(python)["keras"] = source
    names = _names_in_scripts(put, "keras" if keras_too else "tensorflow.keras")

    def name_of(module: str) -> Optional[str]:
        """What scripts call a module, such as tf.train; None for one of other packages."""
        public = re.sub(r"^tensorflow\._api\.v2(\.compat\.v1)?", "tensorflow", module)
        name = names.get(module, public)
        return re.sub("^tensorflow", "tf", name) if is_of_tensorflow_2(name) else None

    try:
        with keras_2.names_added(added):
            yield
    except (AttributeError, ImportError) as error:
        missing = explained(error, name_of, real.__version__, keras_too)
        if missing is None or _is_raised_in_tensorflow(error):
            raise
        raise missing.with_traceback(error.__traceback__) from None
    finally:
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
    return is_of_tensorflow_2(module)


def _restore(before: Dict[str, Optional[ModuleType]]) -> None:
    for name, module in before.items():
        if module is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = module
