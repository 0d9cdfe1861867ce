"""Adagrad."""

from typing import Any, Dict, List, Optional, Tuple

from keras_optimizers.base import Optimizer
from keras_optimizers.expressions import sqrt, square
from keras_optimizers.lowering.kernels import FusedStep
from keras_optimizers.scalars import Step
from keras_optimizers.tensorflow_types import Tensor


class Adagrad(Optimizer):
    """Adagrad: the more a parameter has moved, the smaller its steps become.

    Arguments:
        lr: float >= 0. Learning rate.
        epsilon: float >= 0. Added to the root, outside of it. None: `K.epsilon()`.
        decay: float >= 0. The rate at step t (from 0) is `lr / (1 + decay * t)`.
        **kwargs: `clipnorm`, `clipvalue`, `global_clipnorm`; see `Optimizer`.

    Weights: a sum of squares a parameter, from zero; `iterations` is not among them, as in the
    reference.

    References: Duchi, Hazan and Singer 2011, "Adaptive Subgradient Methods for Online Learning
    and Stochastic Optimization"; `Adagrad` of tensorflow/python/keras/optimizers.py, r1.10.
    """

    slot_roles = ("sum_of_squares",)
    weight_scalars = ()

    def __init__(self, lr=0.01, epsilon=None, decay=0.0, **kwargs):
        # type: (float, Optional[float], float, **Any) -> None
        super(Adagrad, self).__init__(**kwargs)
        self._set_constants(epsilon=epsilon)
        self._create_scalars(lr=lr, decay=decay, iterations=0)
        self.initial_decay = decay

    def step_coefficients(self, step: Step) -> Dict[str, Tensor]:
        """The learning rate of this step."""
        return {"learning_rate": step.learning_rate}

    def update_rule(
        self, parameter: Tensor, gradient: Tensor, slots: Any, coefficients: Any
    ) -> Tuple[Tensor, Dict[str, Tensor]]:
        """The sum of squares first; the gradient over its root moves the parameter."""
        sum_of_squares = slots.sum_of_squares + square(gradient)
        root = sqrt(sum_of_squares)
        parameter = parameter - coefficients.learning_rate * gradient / (root + self.epsilon)
        return parameter, {"sum_of_squares": sum_of_squares}

    def fused_rule(self, step: FusedStep, slots: Any, coefficients: Any) -> Optional[List[Any]]:
        """The touched rows of a lookup's gradient; of others the rule itself is one kernel."""
        if not step.is_sparse:
            return None
        rate = coefficients.learning_rate
        write = step.adagrad_rows(slots.sum_of_squares, rate, self.epsilon)
        return None if write is None else [write]

    def get_config(self):
        # type: () -> Dict[str, Any]
        """The arguments, with the current values of those that are variables."""
        return self._config("lr", "decay", epsilon=self.epsilon)
