"""The only door to TensorFlow's variables, devices and private corners.

Everything here works in graph mode. Nothing here knows an update rule.
"""

import contextlib
from typing import Any, List, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

# Private: tf.keras.Model.compile accepts only subclasses of these classes, and 1.15's public
# `tf.keras.optimizers.Optimizer` is another class (OptimizerV2). Taken here, once, because
# `install()` later puts our own classes under these very names.
from tensorflow.python.keras import backend as _host_backend
from tensorflow.python.keras import optimizers as _host_optimizers
from tensorflow.python.keras.optimizer_v2 import optimizer_v2 as _optimizer_v2

# Private: what `tf.get_variable` with a partitioner returns has no public name.
from tensorflow.python.ops.variables import PartitionedVariable as _PartitionedVariable

# Private: the switch for "X is deprecated" log lines, which has no public counterpart.
from tensorflow.python.util import deprecation as _deprecation

HostOptimizer = _host_optimizers.Optimizer
HostTFOptimizer = _host_optimizers.TFOptimizer
OptimizerV2 = _optimizer_v2.OptimizerV2

# TensorFlow 1.15 ships no type information; these names say what is meant.
Tensor = Any
Variable = Any
Session = Any

# Private: the public one says that it is deprecated.
session_with_initialization = _host_backend.get_session
# Private: a finalized graph can have no initialization.
session_without_initialization = _host_backend._get_session

# Private: makes the host initialize the variables of a wrapped tf.train optimizer.
track_tf_optimizer = _host_backend.track_tf_optimizer


def require_graph_mode() -> None:
    """Refuse eager execution.

    Raises:
        RuntimeError: If eager execution is on where this is called.
    """
    if tf.executing_eagerly():
        raise RuntimeError(
            "keras_optimizers builds graphs and does not support eager execution. "
            "Call `tf.compat.v1.disable_eager_execution()` when the program starts, or build "
            "the model inside `with tf.Graph().as_default():`."
        )


def silence_deprecation_warnings() -> None:
    """Stop TensorFlow's "X is deprecated" log lines; all other warnings stay."""
    _deprecation._PRINT_DEPRECATION_WARNINGS = False


def variable(value: Any, dtype: Any, name: Any = None) -> Variable:
    """A resource variable that the host initializes on first use.

    Unlike `tf.keras.backend.variable` it is not trainable: an optimizer's state must not turn
    up in `tf.trainable_variables()`.
    """
    created = tf.Variable(value, dtype=dtype, name=name, trainable=False, use_resource=True)
    _host_backend.track_variable(created)  # private: no public way to have it initialized
    return created


def zeros(shape: Sequence[int], dtype: Any, beside: Variable, name: Any = None) -> Variable:
    """A variable of zeros on the device of the variable `beside`."""
    # No device of its own: else a device in force is taken where `beside` names none.
    with tf.init_scope(), colocated_with(beside), tf.device(None):
        # Both are named: Keras 2.3 does so, which gives its variables the name with `_1`.
        return variable(tf.zeros(shape, dtype, name), dtype, name)


def is_of_tf_keras(created: Variable) -> bool:
    """Whether `tf.keras` made a variable and initializes it."""
    graphs = _host_backend._GRAPH_VARIABLES  # private: the variables that its sessions initialize
    return any(one is created for one in graphs.get(created.graph, ()))


def colocated_with(variable_or_tensor: Any) -> Any:
    """Context in which new ops go to the device of `variable_or_tensor`."""
    return tf.get_default_graph().colocate_with(variable_or_tensor.op, ignore_existing=True)


def task_of(placed: Any) -> Optional[Tuple[str, int, int]]:
    """Job, replica and task of a variable or tensor; None where its device names none."""
    device = tf.DeviceSpec.from_string(getattr(placed, "device", None) or "")
    if device.job is None and device.task is None:
        return None
    return device.job or "localhost", device.replica or 0, device.task or 0


def on_the_task_of(placed: Any) -> Any:
    """Context in which new ops go to the task of `placed`, if it names one."""
    return colocated_with(placed) if task_of(placed) is not None else contextlib.ExitStack()


def may_be_on_gpu(placed: Variable) -> bool:
    """Whether a session may put `placed` on a GPU, as far as its device and this machine say."""
    kind = tf.DeviceSpec.from_string(placed.device or "").device_type
    if kind is None:
        return bool(tf.config.experimental.list_physical_devices("GPU"))
    return kind == "GPU"


def is_in_reach(value: Any) -> bool:
    """Whether new ops can use a tensor or variable: it is in the current graph or around it."""
    graph = tf.get_default_graph()
    while graph is not None and graph is not value.graph:
        graph = getattr(graph, "outer_graph", None)  # of the body of a condition, loop or function
    return graph is not None


def read_tensor(value: Any) -> Tensor:
    """`value` as a tensor; where that will do, the read that a resource variable was made with.

    Inside a loop, or after an assignment that is waited for, it would give an old value.
    """
    graph = tf.get_default_graph()
    # Private: no public way to ask what a new op would wait for.
    waiting = graph._get_control_flow_context() or graph._current_control_dependencies()
    existing = getattr(value, "_graph_element", None)  # private: what `session.run` fetches
    # In the body of a newer loop nothing waits: it is a graph of its own.
    if waiting or existing is None or existing.graph is not graph:
        return tf.convert_to_tensor(value)
    return existing


def is_variable(value: Any) -> bool:
    """Whether `value` is a TensorFlow variable, that is, can be assigned to."""
    return hasattr(value, "assign") and hasattr(value, "initializer")


def parts_of(value: Any) -> List[Any]:
    """The variables that a partitioned variable consists of; of any other value the value."""
    return list(value) if isinstance(value, _PartitionedVariable) else [value]


def static_shape(value: Variable) -> List[int]:
    """The shape of a variable.

    Raises:
        ValueError: If the variable was made without a fully known shape.
    """
    if not value.shape.is_fully_defined():
        raise ValueError(
            f"Cannot convert a partially known TensorShape to a Tensor: {value.shape}, of the "
            f"parameter {value.name}. Give the variable a full shape when it is created."
        )
    return value.shape.as_list()
