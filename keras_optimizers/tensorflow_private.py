"""Everything that TensorFlow keeps private and this package needs, each with its reason.

No other module of the optimizers imports from `tensorflow.python`, or uses an attribute of
TensorFlow whose name begins with an underscore. What differs between versions of TensorFlow is a
field of `tensorflow_releases.Release`.
"""

import contextlib
import importlib
import importlib.util
import operator
from typing import Any, Dict, Iterator, List, Optional

import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_releases import SUPPORTED, Release, release_of


def _running_release() -> Release:
    """The table's entry for the TensorFlow that is imported.

    Raises:
        ImportError: If there is none for this version.
    """
    found = release_of(tf.__version__, getattr(_model_class(), "__module__", ""))
    if found is None:
        raise ImportError(
            f"keras_optimizers needs {SUPPORTED}, here is {tf.__version__}. Install one of them: "
            "`pip install tensorflow` and, for 2.16 and later, `pip install tf_keras`."
        )
    return found


def _model_class() -> Any:
    """`tf.keras.Model`, None where there is none.

    Raises:
        ImportError: If TensorFlow was told to use the package tf_keras, which is not there.
    """
    try:
        return getattr(getattr(tf, "keras", None), "Model", None)
    except (ImportError, RecursionError) as error:
        if importlib.util.find_spec("tf_keras") is not None:
            raise
        raise ImportError(
            "The environment variable TF_USE_LEGACY_KERAS makes TensorFlow use the package "
            "tf_keras, which is not installed. Unset the variable, or `pip install tf_keras`."
        ) from error


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if not RELEASE.needs_tf_keras or importlib.util.find_spec("tf_keras") is not None:
            raise
        numbers = ".".join(tf.__version__.split(".")[:2])
        raise ImportError(
            f"keras_optimizers needs Keras 2, and TensorFlow {tf.__version__} comes with Keras 3. "
            f"Install Keras 2 beside it: `pip install 'tf_keras=={numbers}.*'`."
        ) from error


def _first_of(*names: str) -> Any:
    """The first of these modules that is there: TensorFlow 2.10 moved some."""
    for name in names[:-1]:
        if importlib.util.find_spec(name.rpartition(".")[0]) is not None:
            return _module(name)
    return _module(names[-1])


RELEASE = _running_release()
# The Keras whose old optimizers are the reference; `tf.keras` where that is not Keras 3.
KERAS = tf.keras if RELEASE.keras is None else _module(RELEASE.keras)
# The API module of some releases does not have it.
KERAS_VERSION = (
    getattr(KERAS, "__version__", None) or _module(RELEASE.source.split(".")[0]).__version__
)
_keras_backend = _module(RELEASE.module("backend"))
_serialization = _module(RELEASE.module("serialization"))
_deprecation = _module("tensorflow.python.util.deprecation")

# The host's own classes, looked up once, when this module is imported: `install()` later puts our
# classes under these very names.
HOST_OPTIMIZERS = _module(RELEASE.module("optimizers"))
HostOptimizer: Any = HOST_OPTIMIZERS.Optimizer
HostTFOptimizer: Any = HOST_OPTIMIZERS.TFOptimizer
OptimizerV2: Any = _module(RELEASE.module("optimizer_v2")).OptimizerV2


# Where `compile` and `load_model` look names up.
LOOKUP = _module(RELEASE.module("lookup"))


def optimizer_modules() -> List[Any]:
    """All modules in which scripts, or the host itself, look up its optimizers."""
    found = [KERAS.optimizers, LOOKUP]
    for name in RELEASE.also_imported_as:
        try:
            with _names_kept(name):
                keras = importlib.import_module(name)
                imported = importlib.import_module(name + ".optimizers")
        except ImportError:
            continue  # not installed
        if _is_the_host(keras):
            # The import system may make a second copy of the module that is an attribute.
            found += [keras.optimizers, imported]
    return [module for i, module in enumerate(found) if not any(module is m for m in found[:i])]


@contextlib.contextmanager
def _names_kept(name: str) -> Iterator[None]:
    """Importing a module binds it to its name in its parent, which may hold another by that name.

    Programs may hold, or have changed, that other one.
    """
    parent, _, last = name.rpartition(".")
    before = vars(importlib.import_module(parent)).copy() if parent else {}
    try:
        yield
    finally:
        if last in before:
            setattr(importlib.import_module(parent), last, before[last])


def is_keras_3(keras: Any) -> bool:
    """Whether a module is Keras 3, which has no graph mode."""
    return getattr(keras, "__version__", "").startswith("3.") and not _is_the_host(keras)


def _is_the_host(keras: Any) -> bool:
    model = getattr(keras, "Model", None)
    return getattr(model, "__module__", "").startswith(RELEASE.source + ".")


def serialize_keras_object(instance: Any) -> Dict[str, Any]:
    """The host's class name and config of an object, in the form that old files have."""
    return _serialization.serialize_keras_object(instance)


def deserialize_keras_object(config: Dict[str, Any], **options: Any) -> Any:
    """The object that `serialize_keras_object` describes."""
    return _serialization.deserialize_keras_object(config, **options)


def scoped_custom_objects() -> Dict[str, Any]:
    """What `custom_object_scope` holds for this thread, where the host keeps that apart."""
    if RELEASE.custom_objects is None:
        return {}
    return dict(_module(RELEASE.module("custom_objects"))._THREAD_LOCAL_CUSTOM_OBJECTS.__dict__)


_tracking = _first_of(
    "tensorflow.python.trackable.base", "tensorflow.python.training.tracking.base"
)
Trackable: Any = _tracking.Trackable
TrackableReference: Any = _tracking.TrackableReference

# Libraries replace functions of these modules to change what an optimizer does.
KERAS_BACKEND: Any = _keras_backend
STATE_OPS: Any = _module("tensorflow.python.ops.state_ops")
# The module in which the old classes look up `assign` and `assign_add`, which `STATE_OPS` defines.
ASSIGNMENTS: Any = operator.attrgetter(RELEASE.assignments)(HOST_OPTIMIZERS)

# What `tf.get_variable` with a partitioner returns.
PartitionedVariable: Any = _module("tensorflow.python.ops.variables").PartitionedVariable

# TensorFlow's name for a resource that every run makes anew and that no other run can see.
ANONYMOUS_RESOURCE = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"


# The session of tf.keras.


def session_with_initialization(variables: Any) -> Any:
    """The session of tf.keras, which initializes `variables` first; it may add ops for that."""
    return _keras_backend.get_session(variables)  # the public one logs that it is deprecated


def session_without_initialization(variables: Any) -> Any:
    """The session of tf.keras as it is, for a finalized graph, to which no op can be added."""
    return _keras_backend._get_session(variables)


def track_variable(variable: Any) -> None:
    """Make tf.keras initialize `variable` on first use."""
    _keras_backend.track_variable(variable)


def track_tf_optimizer(tf_optimizer: Any) -> None:
    """Make tf.keras initialize the variables of the `tf.train` optimizer that is wrapped."""
    _keras_backend.track_tf_optimizer(tf_optimizer)


def is_of_tf_keras(variable: Any) -> bool:
    """Whether tf.keras made `variable` and initializes it."""
    tracked = _keras_backend._GRAPH_VARIABLES.get(variable.graph, ())
    return any(member is variable for member in tracked)


# Graphs.


def new_ops_wait(graph: Any) -> bool:
    """Whether a new op in `graph` would wait for others, or would be in a loop or a condition."""
    return bool(graph._get_control_flow_context() or graph._current_control_dependencies())


def existing_read(variable: Any) -> Optional[Any]:
    """The tensor that `session.run(variable)` fetches: a read made with the variable, if any."""
    return getattr(variable, "_graph_element", None)


def silence_deprecation_warnings() -> None:
    """Stop TensorFlow's log lines "X is deprecated"; all other warnings stay."""
    _deprecation._PRINT_DEPRECATION_WARNINGS = False
