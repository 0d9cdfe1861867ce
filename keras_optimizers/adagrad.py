"""Adagrad."""

from typing import Any, Dict, List, Optional  # noqa: F401 (type comments)

import tensorflow.compat.v1 as tf

from keras_optimizers.base import Optimizer
from keras_optimizers.expressions import Coefficients, NewValues, Slots, sqrt, square
from keras_optimizers.lowering.fused import FusedKernels
from keras_optimizers.scalars import StepScalars
from keras_optimizers.tensorflow_types import Tensor


class Adagrad(Optimizer):
    """Adagrad: the more a parameter has moved, the smaller its steps become.

    Arguments:
        lr: float >= 0. Learning rate.
        epsilon: float >= 0. Added to the root, outside of it. None: `K.epsilon()`.
        decay: float >= 0. The rate at step t (from 0) is `lr / (1 + decay * t)`.
        **kwargs: `clipnorm`, `clipvalue`, `global_clipnorm`; see `Optimizer`.

    Weights: the sum of squares of each parameter, which begins at zero. `iterations` is not among
    them, as in the reference.

    References: Duchi, Hazan and Singer 2011, "Adaptive Subgradient Methods for Online Learning
    and Stochastic Optimization"; `Adagrad` of tensorflow/python/keras/optimizers.py, r1.10.

    Examples:
        >>> import tensorflow.compat.v1 as tf
        >>> from keras_optimizers import Adagrad
        >>> weight = tf.get_variable("weight", initializer=1.0, use_resource=True)
        >>> optimizer = Adagrad(lr=0.01, decay=0.5)
        >>> step = tf.group(*optimizer.get_updates(weight * weight, [weight]))
        >>> with tf.Session() as session:
        ...     session.run(tf.global_variables_initializer())
        ...     session.run(step)
        ...     print("%.4f" % session.run(weight))
        0.9900
    """

    slot_roles = ("sum_of_squares",)
    weight_scalars = ()

    def __init__(self, lr=0.01, epsilon=None, decay=0.0, **kwargs):
        # type: (float, Optional[float], float, **Any) -> None
        super(Adagrad, self).__init__(**kwargs)
        self._set_constants(epsilon=epsilon)
        self._create_scalars(lr=lr, decay=decay, iterations=0)
        self.initial_decay = decay

    def step_coefficients(self, scalars: StepScalars) -> Dict[str, Tensor]:
        """The learning rate of this step."""
        return {"learning_rate": scalars.learning_rate}

    def update_rule(
        self, parameter: Tensor, gradient: Tensor, slots: Slots, coefficients: Coefficients
    ) -> NewValues:
        """The sum of squares first; the gradient over its root moves the parameter."""
        sum_of_squares = slots.sum_of_squares + square(gradient)
        root = sqrt(sum_of_squares)
        parameter = parameter - coefficients.learning_rate * gradient / (root + self.epsilon)
        return parameter, {"sum_of_squares": sum_of_squares}

    def fused_rule(
        self, kernels: FusedKernels, slots: Slots, coefficients: Coefficients
    ) -> Optional[List[tf.Operation]]:
        """A kernel for the rows of a lookup. With a dense gradient the rule is one kernel."""
        if not kernels.is_sparse:
            return None
        rate = coefficients.learning_rate
        write = kernels.adagrad_rows(slots.sum_of_squares, rate, self.epsilon)
        return None if write is None else [write]

    def get_config(self):
        # type: () -> Dict[str, Any]
        """The arguments, with the current values of those that are variables."""
        return self._config("lr", "decay", epsilon=self.epsilon)
