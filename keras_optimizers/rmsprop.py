"""RMSProp."""

from typing import Any, Dict, List, Optional  # noqa: F401 (type comments)

import tensorflow.compat.v1 as tf

from keras_optimizers.base import Optimizer
from keras_optimizers.expressions import Coefficients, NewValues, Slots, sqrt, square
from keras_optimizers.lowering.fused import FusedKernels
from keras_optimizers.scalars import StepScalars
from keras_optimizers.tensorflow_types import Tensor


class RMSprop(Optimizer):
    """RMSProp: divides the gradient by a running average of its magnitude.

    Arguments:
        lr: float >= 0. Learning rate.
        rho: float >= 0. Share of the running average that the next one keeps.
        epsilon: float >= 0. Added to the root, outside of it. None: `K.epsilon()`.
        decay: float >= 0. The rate at step t (from 0) is `lr / (1 + decay * t)`.
        **kwargs: `clipnorm`, `clipvalue`, `global_clipnorm`; see `Optimizer`.

    Weights: the mean square of each parameter. `iterations` is not among them, as in the reference.

    References: Tieleman and Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning";
    `RMSprop` of tensorflow/python/keras/optimizers.py, r1.10.

    Examples:
        >>> import tensorflow.compat.v1 as tf
        >>> from keras_optimizers import RMSprop
        >>> weight = tf.get_variable("weight", initializer=1.0, use_resource=True)
        >>> optimizer = RMSprop(lr=0.001, rho=0.9)
        >>> step = tf.group(*optimizer.get_updates(weight * weight, [weight]))
        >>> with tf.Session() as session:
        ...     session.run(tf.global_variables_initializer())
        ...     session.run(step)
        ...     print("%.4f" % session.run(weight))
        0.9968
    """

    slot_roles = ("mean_square",)
    weight_scalars = ()

    def __init__(self, lr=0.001, rho=0.9, epsilon=None, decay=0.0, **kwargs):
        # type: (float, float, Optional[float], float, **Any) -> None
        super(RMSprop, self).__init__(**kwargs)
        self._set_constants(epsilon=epsilon)
        self._create_scalars(lr=lr, rho=rho, decay=decay, iterations=0)
        self.initial_decay = decay

    def step_coefficients(self, scalars: StepScalars) -> Dict[str, Tensor]:
        """The learning rate of this step, and both shares of the running average."""
        return {
            "learning_rate": scalars.learning_rate,
            "rho": scalars["rho"],
            "one_minus_rho": 1.0 - scalars["rho"],
        }

    def update_rule(
        self, parameter: Tensor, gradient: Tensor, slots: Slots, coefficients: Coefficients
    ) -> NewValues:
        """The running average first; the gradient over its root moves the parameter."""
        c = coefficients
        mean_square = c.rho * slots.mean_square + c.one_minus_rho * square(gradient)
        root = sqrt(mean_square)
        parameter = parameter - c.learning_rate * gradient / (root + self.epsilon)
        return parameter, {"mean_square": mean_square}

    def fused_rule(
        self, kernels: FusedKernels, slots: Slots, coefficients: Coefficients
    ) -> Optional[List[tf.Operation]]:
        """One kernel for the parameter and its slot, if the parameter is large."""
        c = coefficients
        write = None
        if not kernels.is_sparse:
            write = kernels.rmsprop(slots.mean_square, c.learning_rate, c.rho, self.epsilon)
        return None if write is None else [write]

    def get_config(self):
        # type: () -> Dict[str, Any]
        """The arguments, with the current values of those that are variables."""
        return self._config("lr", "rho", "decay", epsilon=self.epsilon)
