"""Stochastic gradient descent with momentum."""

from typing import Any, Dict, List, Optional, Tuple  # noqa: F401 (type comments)

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.base import Optimizer
from keras_optimizers.expressions import Coefficients, NewValues, Slots
from keras_optimizers.lowering.fused import FusedKernels
from keras_optimizers.scalars import StepScalars
from keras_optimizers.tensorflow_types import Tensor

_NO_VELOCITY = (
    "SGD(fused=True) was made with momentum=0 and keeps no velocity, but `momentum` has been set "
    "since. Make the optimizer with the momentum, or without `fused`."
)


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum, Nesterov momentum and learning rate decay.

    The velocity includes the learning rate and the sign of the step:
    `velocity = momentum * velocity - lr * gradient`, `parameter += velocity`.

    Arguments:
        lr: float >= 0. Learning rate.
        momentum: float >= 0. Share of the last velocity that the next one keeps.
        decay: float >= 0. The rate at step t (from 0) is `lr / (1 + decay * t)`.
        nesterov: bool. Step along the velocity that follows, not the one reached.
        **kwargs: `clipnorm`, `clipvalue`, `global_clipnorm`; see `Optimizer`.

    Weights: `iterations` (int64 scalar), then the velocity of each parameter. With `fused=True`
    and no momentum `iterations` alone. `set_weights` takes both kinds of lists.

    References: Sutskever et al. 2013, "On the importance of initialization and momentum in deep
    learning"; `SGD` of tensorflow/python/keras/optimizers.py, r1.10.

    Examples:
        >>> import tensorflow.compat.v1 as tf
        >>> from keras_optimizers import SGD
        >>> weight = tf.get_variable("weight", initializer=1.0, use_resource=True)
        >>> optimizer = SGD(lr=0.1, momentum=0.9)
        >>> step = tf.group(*optimizer.get_updates(weight * weight, [weight]))
        >>> with tf.Session() as session:
        ...     session.run(tf.global_variables_initializer())
        ...     session.run(step)
        ...     print(session.run([weight, *optimizer.weights]))
        [0.8, 1, -0.2]
    """

    slot_roles = ("velocity",)  # type: Tuple[str, ...]

    def __init__(self, lr=0.01, momentum=0.0, decay=0.0, nesterov=False, **kwargs):
        # type: (float, float, float, bool, **Any) -> None
        super(SGD, self).__init__(**kwargs)
        self._create_scalars(iterations=0, lr=lr, momentum=momentum, decay=decay)
        self.initial_decay = decay
        self.nesterov = nesterov
        if self.fused and momentum == 0:  # nothing reads a velocity
            self.slot_roles = ()

    def step_coefficients(self, scalars: StepScalars) -> Dict[str, Tensor]:
        """The learning rate of this step, and the momentum."""
        momentum = scalars["momentum"]
        if self.slot_roles:
            return {"learning_rate": scalars.learning_rate, "momentum": momentum}
        still_zero = tf.equal(momentum, tf.cast(self.momentum.initial_value, momentum.dtype))
        check = tf.raw_ops.Assert(condition=still_zero, data=[_NO_VELOCITY])
        return {"learning_rate": scalars.learning_rate, "check": check}

    def update_rule(
        self, parameter: Tensor, gradient: Tensor, slots: Slots, coefficients: Coefficients
    ) -> NewValues:
        """The velocity first; the parameter moves by it or, with Nesterov, by the next velocity."""
        learning_rate = coefficients.learning_rate
        if not self.slot_roles:
            return parameter - learning_rate * gradient, {}
        momentum = coefficients.momentum
        velocity = momentum * slots.velocity - learning_rate * gradient
        if self.nesterov:
            parameter = parameter + momentum * velocity - learning_rate * gradient
        else:
            parameter = parameter + velocity
        return parameter, {"velocity": velocity}

    def fused_rule(
        self, kernels: FusedKernels, slots: Slots, coefficients: Coefficients
    ) -> Optional[List[tf.Operation]]:
        """One kernel for parameter and velocity. Without momentum the rule itself is as fast."""
        if kernels.is_sparse or not self.slot_roles:
            return None
        c = coefficients
        return [kernels.momentum(slots.velocity, c.momentum, c.learning_rate, self.nesterov)]

    def complete_weights(self, weights: List[Any]) -> List[Any]:
        """Without momentum no velocity is read: fused SGD and OptimizerV2 keep none."""
        if not self.slot_roles and len(weights) == 1 + len(self.trained):
            return weights[:1]
        if len(weights) == 1 and self._host.scalar_values([self.momentum])[0] == 0:
            return weights + [np.zeros(slot.shape.as_list()) for slot in self.weights[1:]]
        return weights

    def get_config(self):
        # type: () -> Dict[str, Any]
        """The arguments, with the current values of those that are variables."""
        return self._config("lr", "momentum", "decay", nesterov=self.nesterov)
