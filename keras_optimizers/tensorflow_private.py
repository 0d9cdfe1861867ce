"""Everything that TensorFlow keeps private and this package needs, each with its reason.

No other module of the optimizers imports from `tensorflow.python`, or uses an attribute of
TensorFlow whose name begins with an underscore. What differs between versions of TensorFlow is a
field of `_Version`.
"""

import importlib
from typing import Any, Dict, NamedTuple, Optional

import tensorflow.compat.v1 as tf


class _Version(NamedTuple):
    """The modules in which one version of TensorFlow keeps what has no public name."""

    # `Optimizer` and `TFOptimizer`: `tf.keras.Model.compile` accepts only their subclasses, and
    # the public `tf.keras.optimizers.Optimizer` of 1.15 is another class (OptimizerV2).
    optimizers: str = "tensorflow.python.keras.optimizers"
    # `OptimizerV2`: `get` hands such an optimizer back unchanged.
    optimizer_v2: str = "tensorflow.python.keras.optimizer_v2.optimizer_v2"
    # The session of tf.keras, and its list of variables that wait to be initialized.
    keras_backend: str = "tensorflow.python.keras.backend"
    # What the old optimizers call to assign.
    state_ops: str = "tensorflow.python.ops.state_ops"
    # `Trackable`: what an object checkpoint lists.
    tracking: str = "tensorflow.python.training.tracking.base"
    # What `tf.get_variable` with a partitioner returns.
    variables: str = "tensorflow.python.ops.variables"
    # The switch for the log lines "X is deprecated".
    deprecation: str = "tensorflow.python.util.deprecation"


# By the first two numbers of the version.
_VERSIONS: Dict[str, _Version] = {"1.15": _Version()}


def _running_version() -> _Version:
    """The entry of the TensorFlow that is imported.

    Raises:
        ImportError: If there is none for this version.
    """
    found = _VERSIONS.get(".".join(tf.__version__.split(".")[:2]))
    if found is None:
        supported = ", ".join(sorted(_VERSIONS))
        raise ImportError(
            f"keras_optimizers needs TensorFlow {supported}, here is {tf.__version__}. Install "
            "that version: `pip install 'tensorflow>=1.15,<1.16'`."
        )
    return found


def _module(name: str) -> Any:
    return importlib.import_module(name)


_version = _running_version()
_keras_backend = _module(_version.keras_backend)
_tracking = _module(_version.tracking)
_deprecation = _module(_version.deprecation)

# The host's own classes, looked up once, when this module is imported: `install()` later puts our
# classes under these very names.
HOST_OPTIMIZERS = _module(_version.optimizers)
HostOptimizer: Any = HOST_OPTIMIZERS.Optimizer
HostTFOptimizer: Any = HOST_OPTIMIZERS.TFOptimizer
OptimizerV2: Any = _module(_version.optimizer_v2).OptimizerV2

Trackable: Any = _tracking.Trackable
TrackableReference: Any = _tracking.TrackableReference

# Libraries replace functions of these modules to change what an optimizer does.
KERAS_BACKEND: Any = _keras_backend
STATE_OPS: Any = _module(_version.state_ops)

PartitionedVariable: Any = _module(_version.variables).PartitionedVariable

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
