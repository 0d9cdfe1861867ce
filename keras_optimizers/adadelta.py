"""Adadelta."""

from typing import Any, Dict, List, Optional  # noqa: F401 (type comments)

import tensorflow.compat.v1 as tf

from keras_optimizers.base import Optimizer
from keras_optimizers.expressions import Coefficients, NewValues, Slots, sqrt, square
from keras_optimizers.lowering.fused import FusedKernels
from keras_optimizers.scalars import StepScalars
from keras_optimizers.tensorflow_types import Tensor


class Adadelta(Optimizer):
    """Adadelta: Adagrad over a moving window, with steps in the parameter's own unit.

    Arguments:
        lr: float >= 0. Learning rate; the method itself has none, which is 1.
        rho: float >= 0. Share of each running average that the next one keeps. A constant of
            the graph, no variable.
        epsilon: float >= 0. Added inside the roots. None: `K.epsilon()`.
        decay: float >= 0. The rate at step t (from 0) is `lr / (1 + decay * t)`.
        **kwargs: `clipnorm`, `clipvalue`, `global_clipnorm`; see `Optimizer`.

    Weights: the mean square gradient of each parameter, then the mean square step of each.
    `iterations` is not among them, as in the reference.

    References: Zeiler 2012, "ADADELTA: An Adaptive Learning Rate Method"; `Adadelta` of
    tensorflow/python/keras/optimizers.py, r1.10.

    Examples:
        >>> import tensorflow.compat.v1 as tf
        >>> from keras_optimizers import Adadelta
        >>> weight = tf.get_variable("weight", initializer=1.0, use_resource=True)
        >>> optimizer = Adadelta(rho=0.95)
        >>> step = tf.group(*optimizer.get_updates(weight * weight, [weight]))
        >>> with tf.Session() as session:
        ...     session.run(tf.global_variables_initializer())
        ...     session.run(step)
        ...     print("%.4f" % session.run(weight))
        0.9986
    """

    slot_roles = ("mean_square_gradient", "mean_square_step")
    weight_scalars = ()

    def __init__(self, lr=1.0, rho=0.95, epsilon=None, decay=0.0, **kwargs):
        # type: (float, float, Optional[float], float, **Any) -> None
        super(Adadelta, self).__init__(**kwargs)
        self._set_constants(rho=rho, epsilon=epsilon)
        self._create_scalars(lr=lr, decay=decay, iterations=0)
        self.initial_decay = decay

    def step_coefficients(self, scalars: StepScalars) -> Dict[str, Tensor]:
        """The learning rate of this step, and both shares of the running averages."""
        return {
            "learning_rate": scalars.learning_rate,
            "rho": self.rho,
            "one_minus_rho": 1.0 - self.rho,
        }

    def update_rule(
        self, parameter: Tensor, gradient: Tensor, slots: Slots, coefficients: Coefficients
    ) -> NewValues:
        """The step is the gradient, times the root of past steps over the root of gradients."""
        c = coefficients
        mean_square_gradient = c.rho * slots.mean_square_gradient + c.one_minus_rho * square(
            gradient
        )
        last_root_of_steps = sqrt(slots.mean_square_step + self.epsilon)
        root_of_gradients = sqrt(mean_square_gradient + self.epsilon)
        step = gradient * last_root_of_steps / root_of_gradients
        mean_square_step = c.rho * slots.mean_square_step + c.one_minus_rho * square(step)
        return parameter - c.learning_rate * step, {
            "mean_square_gradient": mean_square_gradient,
            "mean_square_step": mean_square_step,
        }

    def fused_rule(
        self, kernels: FusedKernels, slots: Slots, coefficients: Coefficients
    ) -> Optional[List[tf.Operation]]:
        """One kernel for the parameter and both slots."""
        if kernels.is_sparse:
            return None
        gradients, steps = slots.mean_square_gradient, slots.mean_square_step
        c = coefficients
        return [kernels.adadelta(gradients, steps, c.learning_rate, c.rho, self.epsilon)]

    def get_config(self):
        # type: () -> Dict[str, Any]
        """The arguments, with the current values of those that are variables."""
        return self._config("lr", "decay", rho=self.rho, epsilon=self.epsilon)
