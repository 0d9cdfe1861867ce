"""Adam and AMSGrad."""

from typing import Any, Dict, List, Optional, Tuple  # noqa: F401 (type comments)

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.base import Optimizer
from keras_optimizers.expressions import Coefficients, NewValues, Slots, maximum, sqrt, square
from keras_optimizers.lowering.fused import FusedKernels
from keras_optimizers.scalars import StepScalars
from keras_optimizers.tensorflow_types import Tensor


class Adam(Optimizer):
    """Adam: each step is the first moment of the gradient over the root of the second moment.

    Arguments:
        lr: float >= 0. Learning rate.
        beta_1: float, 0 < beta < 1. Share of the first moment that the next one keeps.
        beta_2: float, 0 < beta < 1. The same of the second moment.
        epsilon: float >= 0. Added to the root, outside of it ("epsilon hat" of the paper).
            None: `K.epsilon()`.
        decay: float >= 0. The rate at step t (from 0) is `lr / (1 + decay * t)`.
        amsgrad: bool. Divide by the largest second moment seen so far (AMSGrad).
        **kwargs: `clipnorm`, `clipvalue`, `global_clipnorm`; see `Optimizer`.

    Weights: `iterations` (int64 scalar), the first moments of all parameters, their second
    moments, and their largest second moments. Without `amsgrad` the last are unused zeros of shape
    (1,), which `fused=True` leaves out.

    References: Kingma and Ba 2014, "Adam: A Method for Stochastic Optimization"; Reddi, Kale and
    Kumar 2018, "On the Convergence of Adam and Beyond"; `Adam` of
    tensorflow/python/keras/optimizers.py, r1.10.

    Examples:
        >>> import tensorflow.compat.v1 as tf
        >>> from keras_optimizers import Adam
        >>> weight = tf.get_variable("weight", initializer=1.0, use_resource=True)
        >>> optimizer = Adam(lr=0.001, amsgrad=True)
        >>> step = tf.group(*optimizer.get_updates(weight * weight, [weight]))
        >>> with tf.Session() as session:
        ...     session.run(tf.global_variables_initializer())
        ...     session.run(step)
        ...     print("%.4f" % session.run(weight))
        0.9990
    """

    slot_roles = (
        "first_moment",
        "second_moment",
        "largest_second_moment",
    )  # type: Tuple[str, ...]

    def __init__(
        self, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=None, decay=0.0, amsgrad=False, **kwargs
    ):
        # type: (float, float, float, Optional[float], float, bool, **Any) -> None
        super(Adam, self).__init__(**kwargs)
        self._set_constants(epsilon=epsilon)
        self._create_scalars(iterations=0, lr=lr, beta_1=beta_1, beta_2=beta_2, decay=decay)
        self.initial_decay = decay
        self.amsgrad = amsgrad
        if self.fused and not amsgrad:  # nothing reads the third group
            self.slot_roles = ("first_moment", "second_moment")

    def step_coefficients(self, scalars: StepScalars) -> Dict[str, Tensor]:
        """The learning rate with both bias corrections, and the shares of the moments."""
        beta_1, beta_2 = scalars["beta_1"], scalars["beta_2"]
        bias_correction = tf.sqrt(1.0 - tf.pow(beta_2, scalars.number)) / (
            1.0 - tf.pow(beta_1, scalars.number)
        )
        return {
            "learning_rate": scalars.learning_rate * bias_correction,
            "beta_1": beta_1,
            "one_minus_beta_1": 1.0 - beta_1,
            "beta_2": beta_2,
            "one_minus_beta_2": 1.0 - beta_2,
        }

    def update_rule(
        self, parameter: Tensor, gradient: Tensor, slots: Slots, coefficients: Coefficients
    ) -> NewValues:
        """Both moments first; the first over the root of the second moves the parameter."""
        c = coefficients
        first_moment = c.beta_1 * slots.first_moment + c.one_minus_beta_1 * gradient
        second_moment = c.beta_2 * slots.second_moment + c.one_minus_beta_2 * square(gradient)
        new_slots = {"first_moment": first_moment, "second_moment": second_moment}
        divisor = second_moment
        if self.amsgrad:
            divisor = maximum(slots.largest_second_moment, second_moment)
            new_slots["largest_second_moment"] = divisor
        step = c.learning_rate * first_moment / (sqrt(divisor) + self.epsilon)
        return parameter - step, new_slots

    def fused_rule(
        self, kernels: FusedKernels, slots: Slots, coefficients: Coefficients
    ) -> Optional[List[tf.Operation]]:
        """One kernel for the parameter and its slots."""
        if kernels.is_sparse:
            return None
        c = coefficients
        first, second = slots.first_moment, slots.second_moment
        rate, epsilon = c.learning_rate, self.epsilon
        if self.amsgrad:
            largest = slots.largest_second_moment
            return [kernels.amsgrad(first, second, largest, rate, c.beta_1, c.beta_2, epsilon)]
        return [kernels.adam(first, second, rate, c.beta_1, c.beta_2, epsilon)]

    def slot_shape(self, role: str, parameter_shape: List[int]) -> List[int]:
        """The parameter's shape; [1] for the third slot, which is unused without AMSGrad."""
        if role == "largest_second_moment" and not self.amsgrad:
            return [1]
        return parameter_shape

    def complete_weights(self, weights: List[Any]) -> List[Any]:
        """Without AMSGrad the third group is unused: some layouts have it and some do not.

        TF 1.4, 1.5, Keras before 2.1.3 and the fused path have none.
        """
        groups = len(self.slot_roles)
        parameters = (len(self.weights) - 1) // groups
        if self.amsgrad or not parameters:
            return weights
        if groups == 3 and len(weights) == 1 + 2 * parameters:
            return weights + [np.zeros([1])] * parameters
        if groups == 2 and len(weights) == 1 + 3 * parameters:
            unused = weights[1 + 2 * parameters :]
            if all(np.shape(weight) == (1,) for weight in unused):
                return weights[: 1 + 2 * parameters]
        return weights

    def get_config(self):
        # type: () -> Dict[str, Any]
        """The arguments, with the current values of those that are variables."""
        return self._config(
            "lr", "beta_1", "beta_2", "decay", epsilon=self.epsilon, amsgrad=self.amsgrad
        )
