"""Nadam."""

from typing import Any, Dict, List, Optional

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.base import Optimizer
from keras_optimizers.expressions import Coefficients, NewValues, Slots, sqrt, square
from keras_optimizers.lowering.fused import FusedKernels
from keras_optimizers.numpy_rules import nadam_momentum_product
from keras_optimizers.scalars import StepScalars
from keras_optimizers.tensorflow_types import Tensor
from keras_optimizers.weights import check_weights


class Nadam(Optimizer):
    """Nadam: Adam with Nesterov momentum, whose momentum warms up by a schedule.

    Arguments:
        lr: float >= 0. Learning rate.
        beta_1: float, 0 < beta < 1. Share of the first moment that the next one keeps.
        beta_2: float, 0 < beta < 1. The same of the second moment.
        epsilon: float >= 0. Added to the root, outside of it. None: `K.epsilon()`.
        schedule_decay: float >= 0. How fast the momentum approaches `beta_1`. A constant of the
            graph, no variable.
        **kwargs: `clipnorm`, `clipvalue`, `global_clipnorm`; see `Optimizer`.

    Weights: `iterations` (int64 scalar), `m_schedule` (the product of the momenta so far, a
    float scalar), then the first moments, then the second moments.

    References: Dozat 2016, "Incorporating Nesterov Momentum into Adam"; `Nadam` of
    tensorflow/python/keras/optimizers.py, r1.10.

    Examples:
        >>> import tensorflow.compat.v1 as tf
        >>> from keras_optimizers import Nadam
        >>> weight = tf.get_variable("weight", initializer=1.0, use_resource=True)
        >>> optimizer = Nadam(lr=0.002)
        >>> step = tf.group(*optimizer.get_updates(weight * weight, [weight]))
        >>> with tf.Session() as session:
        ...     session.run(tf.global_variables_initializer())
        ...     session.run(step)
        ...     print("%.4f" % session.run(weight))
        0.9979
    """

    slot_roles = ("first_moment", "second_moment")
    weight_scalars = ("iterations", "m_schedule")

    def __init__(
        self, lr=0.002, beta_1=0.9, beta_2=0.999, epsilon=None, schedule_decay=0.004, **kwargs
    ):
        # type: (float, float, float, Optional[float], float, **Any) -> None
        super(Nadam, self).__init__(**kwargs)
        self._set_constants(epsilon=epsilon, schedule_decay=schedule_decay)
        self._create_scalars(iterations=0, m_schedule=1.0, lr=lr, beta_1=beta_1, beta_2=beta_2)

    def step_coefficients(self, scalars: StepScalars) -> Dict[str, Tensor]:
        """The momenta of this step and the next, and the corrections that follow."""
        number, beta_1, beta_2 = scalars.number, scalars["beta_1"], scalars["beta_2"]
        momentum = self._momentum(number, beta_1)
        next_momentum = self._momentum(number + 1.0, beta_1)
        product = scalars["m_schedule"] * momentum
        next_product = product * next_momentum
        coefficients = {
            "learning_rate": scalars["lr"],
            "momentum_product": product,
            "one_minus_momentum": 1.0 - momentum,
            "next_momentum": next_momentum,
            "one_minus_product": 1.0 - product,
            "one_minus_next_product": 1.0 - next_product,
            "beta_1": beta_1,
            "one_minus_beta_1": 1.0 - beta_1,
            "beta_2": beta_2,
            "one_minus_beta_2": 1.0 - beta_2,
            "second_moment_correction": 1.0 - tf.pow(beta_2, number),
        }
        if self.fused:
            root = tf.sqrt(coefficients["second_moment_correction"])
            rate = scalars["lr"] * root
            coefficients["first_moment_rate"] = rate * next_momentum / (1.0 - next_product)
            coefficients["gradient_rate"] = rate * (1.0 - momentum) / (1.0 - product)
            coefficients["corrected_epsilon"] = self.epsilon * root
        return coefficients

    def _momentum(self, number: Tensor, beta_1: Tensor) -> Tensor:
        warming = tf.pow(tf.constant(0.96, number.dtype), number * self.schedule_decay)
        return beta_1 * (1.0 - 0.5 * warming)

    def update_rule(
        self, parameter: Tensor, gradient: Tensor, slots: Slots, coefficients: Coefficients
    ) -> NewValues:
        """Both moments first; a mean of gradient and first moment gives the direction."""
        c = coefficients
        first_moment = c.beta_1 * slots.first_moment + c.one_minus_beta_1 * gradient
        second_moment = c.beta_2 * slots.second_moment + c.one_minus_beta_2 * square(gradient)
        corrected_gradient = gradient / c.one_minus_product
        corrected_first_moment = first_moment / c.one_minus_next_product
        corrected_second_moment = second_moment / c.second_moment_correction
        direction = (
            c.one_minus_momentum * corrected_gradient + c.next_momentum * corrected_first_moment
        )
        root = sqrt(corrected_second_moment)
        parameter = parameter - c.learning_rate * direction / (root + self.epsilon)
        return parameter, {"first_moment": first_moment, "second_moment": second_moment}

    def fused_rule(
        self, kernels: FusedKernels, slots: Slots, coefficients: Coefficients
    ) -> Optional[List[tf.Operation]]:
        """Adam's kernel for the first moment's part of the step, another for the gradient's part.

        The correction of the second moment is taken out of the root, into rates and epsilon.
        """
        if kernels.is_sparse or kernels.variable.dtype.base_dtype == tf.float16:
            return None  # in float16 the corrected epsilon is 0, so that a gradient of 0 gives NaN
        c = coefficients
        adam = kernels.adam(
            slots.first_moment,
            slots.second_moment,
            c.first_moment_rate,
            c.beta_1,
            c.beta_2,
            c.corrected_epsilon,
        )
        gradient = kernels.gradient_over_root(
            slots.second_moment, c.gradient_rate, c.corrected_epsilon, after=adam
        )
        return [adam, gradient]

    def scalar_updates(self, coefficients: Any) -> Dict[str, Tensor]:
        """The product of the momenta, with that of this step."""
        return {"m_schedule": coefficients.momentum_product}

    def complete_weights(self, weights: List[Any]) -> List[Any]:
        """r1.10, and Keras before 2.3, leave out `m_schedule`: it follows from `iterations`."""
        if len(weights) == len(self.weights) - 1 and np.ndim(weights[0]) == 0:
            number = np.dtype(self._host.floatx()).type
            beta_1 = self._host.scalar_values([self.beta_1])[0]
            steps = int(check_weights(self.weights[:1], weights[:1])[0])
            product = nadam_momentum_product(number, steps, beta_1, self.schedule_decay)
            return [weights[0], product] + weights[1:]
        return weights

    def get_config(self):
        # type: () -> Dict[str, Any]
        """The arguments, with the current values of those that are variables."""
        return self._config(
            "lr", "beta_1", "beta_2", epsilon=self.epsilon, schedule_decay=self.schedule_decay
        )
