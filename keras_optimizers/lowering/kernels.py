"""The ops that write: TensorFlow's training kernels, and assignments.

The only file that knows TensorFlow's raw training ops. All return ops without a value.
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.placement import colocated_with, may_be_on_gpu
from keras_optimizers.tensorflow_private import ANONYMOUS_RESOURCE
from keras_optimizers.tensorflow_types import Tensor, Variable

_raw = tf.raw_ops


def is_ref(variable: Variable) -> bool:
    """Whether reading `variable` gives a view of its memory (TensorFlow 1's first kind)."""
    return variable.dtype != variable.dtype.base_dtype


class Constants:
    """The numbers of a step as tensors, made once a device for all its parameters."""

    def __init__(self) -> None:
        self._made: Dict[Any, Tensor] = {}
        self._kept: List[Tensor] = []  # a tensor's id is its own only while the tensor lives

    def tensor(self, value: Any, beside: Variable) -> Tensor:
        """`value` (a number or a scalar tensor) in the dtype of the variable `beside`."""
        if tf.is_tensor(value):
            return value
        dtype = beside.dtype.base_dtype
        key = (beside.device, dtype, repr(value))
        if key not in self._made:
            self._made[key] = tf.constant(value, dtype)
        return self._made[key]

    def opaque(self, value: Any, beside: Variable) -> Tensor:
        """As `tensor`, but a zero is none to the graph optimizer.

        It would leave out `+ 0` and then turn `x / sqrt(y)` into `x * rsqrt(y)`, which rounds
        otherwise; not so in upstream, where other ops stand between.
        """
        constant = self.tensor(value, beside)
        if tf.is_tensor(value) or value != 0:
            return constant
        key = ("opaque", beside.device, beside.dtype.base_dtype)
        if key not in self._made:
            self._made[key] = tf.placeholder_with_default(constant, [])
        return self._made[key]

    def negative(self, value: Any, beside: Variable) -> Tensor:
        """The negative of `value`."""
        if not tf.is_tensor(value):
            return self.tensor(-value, beside)
        key = (beside.device, value)
        if key not in self._made:
            self._kept.append(value)
            self._made[key] = -value
        return self._made[key]


def keep_the_bits(parameter: Variable) -> bool:
    """Whether the kernels below give `parameter` the bits that separate ops would give it.

    On a GPU the compiler may contract a product and a sum to one rounding.
    """
    dtype = parameter.dtype.base_dtype
    return dtype in (tf.float16, tf.float32, tf.float64) and not may_be_on_gpu(parameter)


# TensorFlow takes float32 square roots eight at a time, by an approximation, and what is left over
# at the end of a tensor one by one, exactly.
PACKET = 8


def has_remainder(shape: Any, dtype: tf.DType) -> bool:
    """Whether the square root of a tensor depends on where in it an element is."""
    return dtype.base_dtype == tf.float32 and shape.num_elements() % PACKET != 0


def can_be_fused(parameter: Variable) -> bool:
    """Whether the fused kernels take `parameter`: a resource variable of these dtypes."""
    return not is_ref(parameter) and parameter.dtype in (tf.float16, tf.float32, tf.float64)


def distinct_rows(gradient: tf.IndexedSlices) -> Tuple[Tensor, Tensor]:
    """The rows that `gradient` lists, each once, and the sums of their values, in its order.

    The ops are where the indices are, not with the parameter: `tf.unique` has no kernel on a GPU,
    and a parameter server then receives every row once.
    """
    with tf.colocate_with(gradient.indices, ignore_existing=True):
        rows, positions = tf.unique(gradient.indices)
        return rows, tf.math.unsorted_segment_sum(gradient.values, positions, tf.size(rows))


def dense(gradient: Any, parameter: Variable) -> Tensor:
    """`gradient` as a tensor of the shape of `parameter`; duplicate rows are summed in order."""
    if isinstance(gradient, tf.IndexedSlices):
        # The op that TensorFlow's own conversion uses, without its warning about memory.
        rows = parameter.shape.as_list()[0]
        return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, rows)
    return tf.convert_to_tensor(gradient)


def assign(variable: Variable, value: Any) -> tf.Operation:
    """`variable = value`; of `IndexedSlices`, the rows that they list."""
    with colocated_with(variable):
        if isinstance(value, tf.IndexedSlices):
            written = variable.scatter_update(value)
        else:
            written = variable.assign(value, read_value=False)
    return getattr(written, "op", written)


def assign_all(new_values: Sequence[Tuple[Variable, Any]]) -> List[tf.Operation]:
    """Write each value to its variable.

    A tensor read from a ref variable is a view of its memory, and a gradient may be such a view
    of another parameter. Among ref variables therefore all values are computed before any is
    written. Resource variables need no such wait: they are never overwritten under a reader.
    """
    values = [part for _, value in new_values for part in tf.nest.flatten(value, True)]
    with tf.control_dependencies(values if any(is_ref(v) for v, _ in new_values) else []):
        return [assign(variable, value) for variable, value in new_values]


def count(variable: Variable) -> tf.Operation:
    """`variable += 1`, such that no count is lost where several workers count at once."""
    with colocated_with(variable):
        one = tf.ones([], variable.dtype.base_dtype)
        written = variable.assign_add(one, use_locking=True, read_value=False)
    return getattr(written, "op", written)


# In place, on resource variables, to the bit what the formula gives as separate ops on a CPU.


def add(variable: Variable, value: Tensor) -> tf.Operation:
    """`variable += value`."""
    return _raw.AssignAddVariableOp(resource=variable.handle, value=value)


def subtract(variable: Variable, value: Tensor) -> tf.Operation:
    """`variable -= value`."""
    return _raw.AssignSubVariableOp(resource=variable.handle, value=value)


def subtract_scaled(variable: Variable, scale: Tensor, value: Tensor) -> tf.Operation:
    """`variable -= scale * value`."""
    return _raw.ResourceApplyGradientDescent(var=variable.handle, alpha=scale, delta=value)


def subtract_over_root(
    variable: Variable, scale: Tensor, numerator: Tensor, slot: Tensor, epsilon: Tensor
) -> tf.Operation:
    """`variable -= scale * numerator / (sqrt(slot) + epsilon)`; `slot` is a variable's handle."""
    return _raw.ResourceApplyAdagradV2(
        var=variable.handle,
        accum=slot,
        lr=scale,
        epsilon=epsilon,
        grad=numerator,
        update_slots=False,
    )


def temporary(value: Tensor) -> Tuple[Tensor, tf.Operation]:
    """The handle of a variable of this run alone, and the op that gives it `value`.

    It takes over the memory of `value`. It is to be freed when it has been used.
    """
    handle = _raw.VarHandleOp(dtype=value.dtype, shape=value.shape, shared_name=ANONYMOUS_RESOURCE)
    return handle, _raw.AssignVariableOp(resource=handle, value=value)


def free(handle: Tensor) -> tf.Operation:
    """Free a temporary variable."""
    return _raw.DestroyResourceOp(resource=handle)


def add_square_and_subtract_over_root(
    variable: Variable, slot: Variable, scale: Tensor, epsilon: Tensor, numerator: Tensor
) -> tf.Operation:
    """`slot += numerator ** 2`, then `variable -= scale * numerator / (sqrt(slot) + epsilon)`."""
    return _raw.ResourceApplyAdagradV2(
        var=variable.handle, accum=slot.handle, lr=scale, epsilon=epsilon, grad=numerator
    )


def add_momentum(
    variable: Variable, velocity: Variable, momentum: Tensor, scale: Tensor, gradient: Tensor
) -> tf.Operation:
    """`velocity = momentum * velocity - scale * gradient`, then `variable += velocity`."""
    return _raw.ResourceApplyKerasMomentum(
        var=variable.handle, accum=velocity.handle, lr=scale, grad=gradient, momentum=momentum
    )


# Rows of resource variables, each listed once.


def add_rows(variable: Variable, rows: Tensor, values: Tensor) -> tf.Operation:
    """`variable[rows] += values`."""
    return _raw.ResourceScatterAdd(resource=variable.handle, indices=rows, updates=values)


def subtract_rows(variable: Variable, rows: Tensor, values: Tensor) -> tf.Operation:
    """`variable[rows] -= values`."""
    return _raw.ResourceScatterSub(resource=variable.handle, indices=rows, updates=values)


def set_rows(variable: Variable, rows: Tensor, values: Tensor) -> tf.Operation:
    """`variable[rows] = values`."""
    return _raw.ResourceScatterUpdate(resource=variable.handle, indices=rows, updates=values)


_ELEMENTS_AT_ONCE = 2**20


def add_momentum_untouched(
    variable: Variable, velocity: Variable, momentum: Tensor, scale: Tensor
) -> List[tf.Operation]:
    """`velocity = momentum * velocity - scale * 0`, then `variable += velocity`, in place.

    By the kernel for rows, a part of the table an op: so there is no gradient of the table's size.
    """
    shape = variable.shape.as_list()
    count = max(1, min(shape[0], _ELEMENTS_AT_ONCE // max(1, int(np.prod(shape[1:])))))
    zeros, rows = tf.zeros([count] + shape[1:], variable.dtype.base_dtype), tf.range(count)
    passes = []
    for first in range(0, shape[0], count):
        size = min(count, shape[0] - first)
        whole = size == count
        passes.append(
            _raw.ResourceSparseApplyKerasMomentum(
                var=variable.handle,
                accum=velocity.handle,
                lr=scale,
                grad=zeros if whole else zeros[:size],
                indices=(rows if whole else rows[:size]) + first,
                momentum=momentum,
            )
        )
    return passes


# Elements from which fused RMSprop is faster than its formulas.
_SCRATCH_FROM = 2**16


class FusedStep:
    """TensorFlow's fused kernels for one parameter: the formulas, rounded in another order.

    Learning rates are those of the step, with bias corrections; the kernels' own corrections are
    switched off by powers of 0.

    Arguments:
        parameter: resource variable.
        gradient: tensor of its shape, or `IndexedSlices`.
        constants: shared by all parameters of the step.
    """

    def __init__(self, parameter: Variable, gradient: Any, constants: Constants) -> None:
        self.parameter = parameter
        self.gradient = gradient
        self._constants = constants

    @property
    def is_sparse(self) -> bool:
        """Whether the gradient is that of a lookup."""
        return isinstance(self.gradient, tf.IndexedSlices)

    def _number(self, value: Any) -> Tensor:
        return self._constants.tensor(value, self.parameter)

    def momentum(
        self, velocity: Variable, momentum: Tensor, learning_rate: Tensor, nesterov: bool
    ) -> tf.Operation:
        """Stochastic gradient descent with momentum."""
        return _raw.ResourceApplyKerasMomentum(
            var=self.parameter.handle,
            accum=velocity.handle,
            lr=learning_rate,
            grad=self.gradient,
            momentum=momentum,
            use_nesterov=nesterov,
        )

    def adagrad_rows(
        self, sum_of_squares: Variable, learning_rate: Tensor, epsilon: float
    ) -> Optional[tf.Operation]:
        """Adagrad on the rows that a batch touched; None on a GPU, which has no such kernel."""
        if may_be_on_gpu(self.parameter):
            return None
        rows, values = distinct_rows(self.gradient)
        return _raw.ResourceSparseApplyAdagradV2(
            var=self.parameter.handle,
            accum=sum_of_squares.handle,
            lr=learning_rate,
            epsilon=self._number(epsilon),
            grad=values,
            indices=rows,
        )

    def adadelta(
        self,
        mean_square_gradient: Variable,
        mean_square_step: Variable,
        learning_rate: Tensor,
        rho: Any,
        epsilon: float,
    ) -> tf.Operation:
        """Adadelta."""
        return _raw.ResourceApplyAdadelta(
            var=self.parameter.handle,
            accum=mean_square_gradient.handle,
            accum_update=mean_square_step.handle,
            lr=learning_rate,
            rho=self._number(rho),
            epsilon=self._number(epsilon),
            grad=self.gradient,
        )

    def adam(
        self,
        first_moment: Variable,
        second_moment: Variable,
        learning_rate: Tensor,
        beta_1: Any,
        beta_2: Tensor,
        epsilon: Any,
    ) -> tf.Operation:
        """Adam."""
        return _raw.ResourceApplyAdam(
            var=self.parameter.handle,
            m=first_moment.handle,
            v=second_moment.handle,
            beta1_power=self._number(0.0),
            beta2_power=self._number(0.0),
            lr=learning_rate,
            beta1=self._number(beta_1),
            beta2=beta_2,
            epsilon=self._number(epsilon),
            grad=self.gradient,
        )

    def rmsprop(
        self, mean_square: Variable, learning_rate: Tensor, rho: Tensor, epsilon: float
    ) -> Optional[tf.Operation]:
        """RMSprop, which is Adam without a first moment; None where that gains nothing.

        Adam's kernel has a first moment nonetheless: with beta_1 = 0 it is overwritten by the
        gradient, in scratch memory of the parameter's size that is kept between the steps.
        """
        if self.parameter.shape.num_elements() < _SCRATCH_FROM:
            return None
        scratch, ready = self._finite_scratch()
        with tf.control_dependencies([ready]):
            return _raw.ResourceApplyAdam(
                var=self.parameter.handle,
                m=scratch,
                v=mean_square.handle,
                beta1_power=self._number(0.0),
                beta2_power=self._number(0.0),
                lr=learning_rate,
                beta1=self._number(0.0),
                beta2=rho,
                epsilon=self._number(epsilon),
                grad=self.gradient,
            )

    def _finite_scratch(self) -> Tuple[Tensor, tf.Operation]:
        """A resource of the parameter's shape, and the op that makes sure it is finite.

        It is in no collection: nobody has to initialize, save or restore it. What is in it does
        not matter but for NaN and infinity, which a step with such a gradient leaves behind; a
        parameter that is restored after such a step must not meet them again.
        """
        dtype, shape = self.parameter.dtype.base_dtype, self.parameter.shape
        name = tf.get_default_graph().unique_name(f"{self.parameter.op.name}/scratch")
        scratch = _raw.VarHandleOp(dtype=dtype, shape=shape, shared_name=name)

        def is_finite() -> Tensor:
            value = _raw.ReadVariableOp(resource=scratch, dtype=dtype)
            return tf.math.is_finite(tf.nn.l2_loss(value))

        def clear() -> Tensor:
            write = _raw.AssignVariableOp(resource=scratch, value=tf.zeros(shape, dtype))
            with tf.control_dependencies([write]):
                return tf.constant(True)

        exists = _raw.VarIsInitializedOp(resource=scratch)
        finite = tf.cond(exists, is_finite, lambda: tf.constant(False))
        return scratch, tf.cond(finite, lambda: tf.constant(True), clear).op

    def amsgrad(
        self,
        first_moment: Variable,
        second_moment: Variable,
        largest_second_moment: Variable,
        learning_rate: Tensor,
        beta_1: Tensor,
        beta_2: Tensor,
        epsilon: float,
    ) -> tf.Operation:
        """AMSGrad."""
        return _raw.ResourceApplyAdamWithAmsgrad(
            var=self.parameter.handle,
            m=first_moment.handle,
            v=second_moment.handle,
            vhat=largest_second_moment.handle,
            beta1_power=self._number(0.0),
            beta2_power=self._number(0.0),
            lr=learning_rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=self._number(epsilon),
            grad=self.gradient,
        )

    def adamax(
        self,
        first_moment: Variable,
        infinity_norm: Variable,
        learning_rate: Tensor,
        beta_1: Tensor,
        beta_2: Tensor,
        epsilon: float,
    ) -> tf.Operation:
        """Adamax."""
        return _raw.ResourceApplyAdaMax(
            var=self.parameter.handle,
            m=first_moment.handle,
            v=infinity_norm.handle,
            beta1_power=self._number(0.0),
            lr=learning_rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=self._number(epsilon),
            grad=self.gradient,
        )

    def gradient_over_root(
        self, slot: Variable, scale: Tensor, epsilon: Any, after: tf.Operation
    ) -> tf.Operation:
        """`parameter -= scale * gradient / (sqrt(slot) + epsilon)`, once `after` has run."""
        with tf.control_dependencies([after]):
            return subtract_over_root(
                self.parameter, scale, self.gradient, slot.handle, self._number(epsilon)
            )
