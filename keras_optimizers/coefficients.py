"""Coefficients on their way to parameters on other tasks: one tensor for each, instead of many."""

from types import SimpleNamespace
from typing import Any, Dict, List, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.placement import colocated_with, on_the_task_of, task_of
from keras_optimizers.tensorflow_types import Tensor, Variable


class Transport:
    """Gives each parameter the coefficients of its dtype, on its own task.

    Where everything is in one process the coefficients are handed on as they are.

    Arguments:
        coefficients: `step_coefficients` as attributes, by dtype.
        home: the variable beside which they are computed.
    """

    def __init__(self, coefficients: Dict[tf.DType, SimpleNamespace], home: Any) -> None:
        self._coefficients, self._home = coefficients, home
        self._packed: Dict[tf.DType, Tensor] = {}
        self._unpacked: Dict[Tuple[Any, tf.DType], SimpleNamespace] = {}

    def to(self, parameter: Variable) -> SimpleNamespace:
        """The coefficients in the dtype of `parameter`, as attributes."""
        dtype, task = parameter.dtype.base_dtype, task_of(parameter)
        coefficients = self._coefficients[dtype]
        names = sorted(name for name, value in vars(coefficients).items() if tf.is_tensor(value))
        if task is None or task == task_of(self._home) or len(names) < 2:
            return coefficients
        if (task, dtype) not in self._unpacked:
            packed = self._pack(dtype, [getattr(coefficients, name) for name in names])
            with colocated_with(parameter):
                values = dict(zip(names, tf.unstack(packed)))
            self._unpacked[task, dtype] = SimpleNamespace(**dict(vars(coefficients), **values))
        return self._unpacked[task, dtype]

    def _pack(self, dtype: tf.DType, values: List[Tensor]) -> Tensor:
        if dtype not in self._packed:
            with on_the_task_of(self._home):
                self._packed[dtype] = tf.stack(values, name="coefficients")
        return self._packed[dtype]
