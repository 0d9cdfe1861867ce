"""Adamax."""

from typing import Any, Dict, List, Optional  # noqa: F401 (type comments)

import tensorflow.compat.v1 as tf

from keras_optimizers.base import Optimizer
from keras_optimizers.expressions import Coefficients, NewValues, Slots, absolute, maximum
from keras_optimizers.lowering.fused import FusedKernels
from keras_optimizers.scalars import StepScalars
from keras_optimizers.tensorflow_types import Tensor


class Adamax(Optimizer):
    """Adamax: Adam with the infinity norm in place of the second moment.

    Arguments:
        lr: float >= 0. Learning rate.
        beta_1: float, 0 < beta < 1. Share of the first moment that the next one keeps.
        beta_2: float, 0 < beta < 1. Factor by which the norm fades each step.
        epsilon: float >= 0. Added to the norm. None: `K.epsilon()`.
        decay: float >= 0. The rate at step t (from 0) is `lr / (1 + decay * t)`.
        **kwargs: `clipnorm`, `clipvalue`, `global_clipnorm`; see `Optimizer`.

    Weights: `iterations` (int64 scalar), then the first moments, then the infinity norms.

    References: Kingma and Ba 2014, "Adam: A Method for Stochastic Optimization", section 7;
    `Adamax` of tensorflow/python/keras/optimizers.py, r1.10.

    Examples:
        >>> import tensorflow.compat.v1 as tf
        >>> from keras_optimizers import Adamax
        >>> weight = tf.get_variable("weight", initializer=1.0, use_resource=True)
        >>> optimizer = Adamax(lr=0.002)
        >>> step = tf.group(*optimizer.get_updates(weight * weight, [weight]))
        >>> with tf.Session() as session:
        ...     session.run(tf.global_variables_initializer())
        ...     session.run(step)
        ...     print("%.4f" % session.run(weight))
        0.9980
    """

    slot_roles = ("first_moment", "infinity_norm")

    def __init__(self, lr=0.002, beta_1=0.9, beta_2=0.999, epsilon=None, decay=0.0, **kwargs):
        # type: (float, float, float, Optional[float], float, **Any) -> None
        super(Adamax, self).__init__(**kwargs)
        self._set_constants(epsilon=epsilon)
        self._create_scalars(iterations=0, lr=lr, beta_1=beta_1, beta_2=beta_2, decay=decay)
        self.initial_decay = decay

    def step_coefficients(self, scalars: StepScalars) -> Dict[str, Tensor]:
        """The learning rate with the bias correction, and the shares of the slots."""
        beta_1 = scalars["beta_1"]
        return {
            "learning_rate": scalars.learning_rate / (1.0 - tf.pow(beta_1, scalars.number)),
            "beta_1": beta_1,
            "one_minus_beta_1": 1.0 - beta_1,
            "beta_2": scalars["beta_2"],
        }

    def update_rule(
        self, parameter: Tensor, gradient: Tensor, slots: Slots, coefficients: Coefficients
    ) -> NewValues:
        """The moment and the norm first; the moment over the norm moves the parameter."""
        c = coefficients
        first_moment = c.beta_1 * slots.first_moment + c.one_minus_beta_1 * gradient
        infinity_norm = maximum(c.beta_2 * slots.infinity_norm, absolute(gradient))
        parameter = parameter - c.learning_rate * first_moment / (infinity_norm + self.epsilon)
        return parameter, {"first_moment": first_moment, "infinity_norm": infinity_norm}

    def fused_rule(
        self, kernels: FusedKernels, slots: Slots, coefficients: Coefficients
    ) -> Optional[List[tf.Operation]]:
        """One kernel for the parameter and both slots."""
        if kernels.is_sparse:
            return None
        c = coefficients
        return [
            kernels.adamax(
                slots.first_moment,
                slots.infinity_norm,
                c.learning_rate,
                c.beta_1,
                c.beta_2,
                self.epsilon,
            )
        ]

    def get_config(self):
        # type: () -> Dict[str, Any]
        """The arguments, with the current values of those that are variables."""
        return self._config("lr", "beta_1", "beta_2", "decay", epsilon=self.epsilon)
