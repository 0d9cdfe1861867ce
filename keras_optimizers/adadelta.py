"""Adadelta."""

from typing import Any, Dict, List, Optional, Tuple

from keras_optimizers.base import Optimizer
from keras_optimizers.expressions import sqrt, square
from keras_optimizers.lowering.kernels import FusedStep
from keras_optimizers.scalars import Step
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

    Weights: a mean square gradient a parameter, then a mean square step a parameter;
    `iterations` is not among them, as in the reference.

    References: Zeiler 2012, "ADADELTA: An Adaptive Learning Rate Method"; `Adadelta` of
    tensorflow/python/keras/optimizers.py, r1.10.
    """

    slot_roles = ("mean_square_gradient", "mean_square_step")
    weight_scalars = ()

    def __init__(self, lr=1.0, rho=0.95, epsilon=None, decay=0.0, **kwargs):
        # type: (float, float, Optional[float], float, **Any) -> None
        super(Adadelta, self).__init__(**kwargs)
        self._set_constants(rho=rho, epsilon=epsilon)
        self._create_scalars(lr=lr, decay=decay, iterations=0)
        self.initial_decay = decay

    def step_coefficients(self, step: Step) -> Dict[str, Tensor]:
        """The learning rate of this step, and both shares of the running averages."""
        return {
            "learning_rate": step.learning_rate,
            "rho": self.rho,
            "one_minus_rho": 1.0 - self.rho,
        }

    def update_rule(
        self, parameter: Tensor, gradient: Tensor, slots: Any, coefficients: Any
    ) -> Tuple[Tensor, Dict[str, Tensor]]:
        """The step is the gradient, times the root of past steps over that of gradients."""
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

    def fused_rule(self, step: FusedStep, slots: Any, coefficients: Any) -> Optional[List[Any]]:
        """One kernel for all three."""
        if step.is_sparse:
            return None
        gradients, steps = slots.mean_square_gradient, slots.mean_square_step
        c = coefficients
        return [step.adadelta(gradients, steps, c.learning_rate, c.rho, self.epsilon)]

    def get_config(self):
        # type: () -> Dict[str, Any]
        """The arguments, with the current values of those that are variables."""
        return self._config("lr", "decay", rho=self.rho, epsilon=self.epsilon)
