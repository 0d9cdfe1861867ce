"""Stochastic gradient descent with momentum."""

from typing import Any, Dict, Tuple

from keras_optimizers.backend import Tensor
from keras_optimizers.base import Optimizer
from keras_optimizers.step import Step


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

    Weights: `iterations` (int64 scalar), then a velocity a parameter.

    References: Sutskever et al. 2013, "On the importance of initialization and momentum in deep
    learning"; `SGD` of tensorflow/python/keras/optimizers.py, r1.10.
    """

    slot_roles = ("velocity",)

    def __init__(self, lr=0.01, momentum=0.0, decay=0.0, nesterov=False, **kwargs):
        # type: (float, float, float, bool, **Any) -> None
        super(SGD, self).__init__(**kwargs)
        self._create_scalars(iterations=0, lr=lr, momentum=momentum, decay=decay)
        self.initial_decay = decay
        self.nesterov = nesterov

    def step_coefficients(self, step: Step) -> Dict[str, Tensor]:
        """The learning rate of this step, and the momentum."""
        return {"learning_rate": step.learning_rate, "momentum": step["momentum"]}

    def update_rule(
        self, parameter: Tensor, gradient: Tensor, slots: Any, coefficients: Any
    ) -> Tuple[Tensor, Dict[str, Tensor]]:
        """The velocity first, then the parameter along it (or along the next one)."""
        momentum, learning_rate = coefficients.momentum, coefficients.learning_rate
        velocity = momentum * slots.velocity - learning_rate * gradient
        if self.nesterov:
            parameter = parameter + momentum * velocity - learning_rate * gradient
        else:
            parameter = parameter + velocity
        return parameter, {"velocity": velocity}

    def get_config(self):
        # type: () -> Dict[str, Any]
        """The arguments, with the current values of those that are variables."""
        return self._config("lr", "momentum", "decay", nesterov=self.nesterov)
