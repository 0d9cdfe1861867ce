"""Devices and tasks: where variables are, and where new ops go."""

import contextlib
from typing import Any, Optional, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_types import Variable


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
