"""Loads the native op: from the package `keras-optimizers-native`, from the cache, or compiled."""

import importlib.util
import threading
import time
from typing import Any, Callable, List, NamedTuple, Optional

import tensorflow.compat.v1 as tf

from keras_optimizers.lowering.native import cache, verdict
from keras_optimizers.lowering.native.build import BuildError, NoCompilerError, build, wanted

# The optional package with libraries, one for each minor release of TensorFlow.
PACKAGE = "keras_optimizers_native"
_REMEDY = "docs/native.md: either is enough"


class NativeUnavailableError(RuntimeError):
    """The native op is required, and cannot be had here."""


class _Outcome(NamedTuple):
    """What loading came to: the module with the op, or the reason why there is none."""

    module: Optional[Any]
    reason: str = ""


_outcome: Optional[_Outcome] = None
_one_thread = threading.Lock()


def load(required: bool = False) -> Optional[Any]:
    """The module with the native op, loaded once; None where it cannot be had.

    A library from the package or the cache is taken; else it is compiled, which takes some
    seconds. It is used only if its bits are those of TensorFlow's own ops.

    Arguments:
        required: whether an error is raised where it cannot be had. Else the log says so, once.

    Raises:
        NativeUnavailableError: If it is required. The text has the reason and the remedy.
    """
    global _outcome
    with _one_thread:
        if _outcome is None:
            _outcome = _find_and_load()
            if _outcome.module is None and not required:
                tf.logging.warning(
                    "keras_optimizers: the native op is not used: %s. TensorFlow's own ops make "
                    "the same steps.",
                    _outcome.reason,
                )
    if _outcome.module is None and required:
        raise NativeUnavailableError(
            f"The native op is required and cannot be had: {_outcome.reason}. Without "
            "KERAS_OPTIMIZERS_NATIVE=require, TensorFlow's own ops make the same steps."
        )
    return _outcome.module


def _find_and_load() -> _Outcome:
    try:
        path = find() or _build()
    except NoCompilerError as error:
        return _Outcome(None, f"{error} and the package {PACKAGE} is not installed ({_REMEDY})")
    except BuildError as error:
        return _Outcome(None, str(error))
    reason = verdict.of(path)
    if reason is not None:
        return _Outcome(None, f"{reason} ({path})")
    try:
        return _Outcome(tf.load_op_library(path))
    except (tf.errors.OpError, OSError) as error:
        return _Outcome(None, f"TensorFlow cannot load {path}: {getattr(error, 'message', error)}")


def find() -> Optional[str]:
    """The path of a library that was made before for this TensorFlow and this source, if any."""
    for folder, record in ((packaged_folder(), for_any_patch()), (cache.folder(), wanted())):
        for path in cache.libraries(folder, record) if folder else ():
            return path
    return None


def packaged_folder() -> Optional[str]:
    """The folder of libraries in the package `keras-optimizers-native`, where it is installed."""
    spec = importlib.util.find_spec(PACKAGE)
    places = spec.submodule_search_locations if spec is not None else None
    return next(iter(places)) if places else None


def for_any_patch() -> cache.Record:
    """As `build.wanted`: a packaged library serves all patches of its minor release."""
    record = wanted()
    record["minor"] = ".".join(record.pop("tensorflow").split(".")[:2])
    return record


def _build() -> str:
    return build(tick=_say_so_after_a_while(time.monotonic()))


def _say_so_after_a_while(started: float) -> Callable[[], None]:
    said: List[bool] = []

    def tick() -> None:
        if not said and time.monotonic() - started > 2:
            said.append(True)
            tf.logging.warning(
                "keras_optimizers: compiling the native op for TensorFlow %s, once, into %s",
                tf.__version__,
                cache.folder(),
            )

    return tick
