"""The coefficients of a step: in the dtype of each parameter, and on the task of each parameter."""

from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterable, List, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.parameters import TrainedParameter
from keras_optimizers.placement import colocated_with, on_the_task_of, task_of
from keras_optimizers.scalars import ScalarReads, StepScalars
from keras_optimizers.tensorflow_types import Tensor, Variable


class StepCoefficients:
    """`step_coefficients` as attributes, by dtype.

    They are computed in the parameter's dtype or in that of the hyperparameters, whichever is
    wider: a float16 parameter gets the float32 value, rounded once.

    Arguments:
        compute: an optimizer's `step_coefficients`.
        reads: the scalars of the step.
        dtypes: the dtypes of the parameters; that of `reads` is added, for the optimizer's own
            scalars.

    Attributes:
        by_dtype: the coefficients as attributes, by dtype.
    """

    def __init__(
        self,
        compute: Callable[[StepScalars], Dict[str, Any]],
        reads: ScalarReads,
        dtypes: Iterable[tf.DType],
    ) -> None:
        self.by_dtype: Dict[tf.DType, SimpleNamespace] = {}
        for dtype in [reads.dtype, *dtypes]:
            if dtype not in self.by_dtype:
                wider = dtype if dtype.size > reads.dtype.size else reads.dtype
                values = compute(StepScalars(reads, wider))
                self.by_dtype[dtype] = SimpleNamespace(
                    **{name: _cast(value, dtype) for name, value in values.items()}
                )

    @property
    def tensors(self) -> List[Tensor]:
        """All coefficients that are tensors."""
        return [value for value in self._values() if tf.is_tensor(value)]

    @property
    def checks(self) -> List[tf.Operation]:
        """The ops among the coefficients: nothing may be written before they have passed."""
        return [value for value in self._values() if isinstance(value, tf.Operation)]

    def _values(self) -> List[Any]:
        return [value for held in self.by_dtype.values() for value in vars(held).values()]


class CoefficientsByTask:
    """Gives each parameter the coefficients of its dtype, on the parameter's own task.

    Another task than that of `home` receives one tensor instead of many. Where everything is in
    one process the coefficients are handed on as they are.

    Arguments:
        coefficients: the coefficients of the step.
        home: the variable beside which they were computed.
    """

    def __init__(self, coefficients: StepCoefficients, home: Variable) -> None:
        self._coefficients, self._home = coefficients.by_dtype, home
        self._packed: Dict[tf.DType, Tensor] = {}
        self._unpacked: Dict[Tuple[Any, tf.DType], SimpleNamespace] = {}

    def of(self, parameter: TrainedParameter) -> SimpleNamespace:
        """The coefficients for `parameter`, as attributes."""
        dtype, task = parameter.dtype, task_of(parameter.variable)
        coefficients = self._coefficients[dtype]
        names = sorted(name for name, value in vars(coefficients).items() if tf.is_tensor(value))
        if task is None or task == task_of(self._home) or len(names) < 2:
            return coefficients
        if (task, dtype) not in self._unpacked:
            packed = self._pack(dtype, [getattr(coefficients, name) for name in names])
            with colocated_with(parameter.variable):
                values = dict(zip(names, tf.unstack(packed)))
            self._unpacked[task, dtype] = SimpleNamespace(**dict(vars(coefficients), **values))
        return self._unpacked[task, dtype]

    def _pack(self, dtype: tf.DType, values: List[Tensor]) -> Tensor:
        if dtype not in self._packed:
            with on_the_task_of(self._home):
                self._packed[dtype] = tf.stack(values, name="coefficients")
        return self._packed[dtype]


def _cast(value: Any, dtype: tf.DType) -> Any:
    """`value` in `dtype`; a plain number stays one, exact until it meets a tensor."""
    return tf.cast(value, dtype) if tf.is_tensor(value) else value
