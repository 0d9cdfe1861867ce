"""TensorFlow's fused kernels, which optimizers use with `fused=True`."""

from typing import Any, Optional, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.gradients import distinct_rows
from keras_optimizers.lowering.assignments import is_ref
from keras_optimizers.lowering.constants import Constants
from keras_optimizers.lowering.kernels import subtract_over_root
from keras_optimizers.parameters import TrainedParameter
from keras_optimizers.placement import may_be_on_gpu
from keras_optimizers.tensorflow_types import Tensor, Variable

_raw = tf.raw_ops


def can_be_fused(variable: Variable) -> bool:
    """Whether the fused kernels take `variable`: a resource variable of these dtypes."""
    return not is_ref(variable) and variable.dtype in (tf.float16, tf.float32, tf.float64)


# Number of elements from which fused RMSprop is faster than its formulas.
_SCRATCH_FROM = 2**16


class FusedKernels:
    """TensorFlow's fused kernels for one parameter: the formulas, rounded in another order.

    Learning rates are those of the step and contain the bias corrections. The kernels' own
    corrections are switched off, by powers of 0.

    Arguments:
        parameter: a parameter in a resource variable.
        constants: shared by all parameters of the step.

    Attributes:
        variable: the parameter's variable.
        gradient: its gradient, a tensor or `IndexedSlices`.
        is_sparse: whether the gradient is `IndexedSlices`, from a lookup.
    """

    def __init__(self, parameter: TrainedParameter, constants: Constants) -> None:
        self.variable = parameter.variable
        self.gradient = parameter.gradient
        self.is_sparse = parameter.is_sparse
        self._constants = constants

    def _number(self, value: Any) -> Tensor:
        return self._constants.tensor(value, self.variable)

    def momentum(
        self, velocity: Variable, momentum: Tensor, learning_rate: Tensor, nesterov: bool
    ) -> tf.Operation:
        """Stochastic gradient descent with momentum."""
        return _raw.ResourceApplyKerasMomentum(
            var=self.variable.handle,
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
        if may_be_on_gpu(self.variable):
            return None
        rows, values = distinct_rows(self.gradient)
        return _raw.ResourceSparseApplyAdagradV2(
            var=self.variable.handle,
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
            var=self.variable.handle,
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
            var=self.variable.handle,
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
        """RMSprop as Adam without a first moment; None where the formulas are as fast.

        Adam's kernel writes a first moment nonetheless. With beta_1 = 0 that is the gradient. It
        goes to scratch memory of the parameter's size, which is kept between the steps.
        """
        if self.variable.shape.num_elements() < _SCRATCH_FROM:
            return None
        scratch, ready = self._finite_scratch()
        with tf.control_dependencies([ready]):
            return _raw.ResourceApplyAdam(
                var=self.variable.handle,
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
        """A resource of the parameter's shape, and the op that clears it unless it is finite.

        It is in no collection: nobody has to initialize, save or restore it. Its content does not
        matter, except for NaN and infinity: a step with such a gradient leaves them there, and
        they must not reach a parameter that is restored after such a step.
        """
        dtype, shape = self.variable.dtype.base_dtype, self.variable.shape
        name = tf.get_default_graph().unique_name(f"{self.variable.op.name}/scratch")
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
            var=self.variable.handle,
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
            var=self.variable.handle,
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
                self.variable, scale, self.gradient, slot.handle, self._number(epsilon)
            )
