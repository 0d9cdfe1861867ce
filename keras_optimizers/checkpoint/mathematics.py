"""What an optimizer reads and computes: options of later eras, and the next step in NumPy.

The rules of r1.10 come from `numpy_rules`; here are those that later eras changed, so that a
difference between two files can be measured instead of described.
"""

from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from keras_optimizers import numpy_rules
from keras_optimizers.checkpoint.state import OptimizerState
from keras_optimizers.reference import BIAS_CORRECTED, OPTIMIZERS

Slots = Dict[str, np.ndarray]


# Beyond r1.10: options of later eras that change a step, with the value at which they do not.
EXTENSIONS: Dict[str, Any] = {
    "momentum": 0.0,  # of RMSprop
    "centered": False,
    "epsilon_inside_root": False,
    "weight_decay": None,
    "use_ema": False,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
    "learning_rate_schedule": None,
}
# Roles that come with RMSprop's extensions.
EXTENSION_ROLES = {"momentum": "momentum", "centered": "mean_gradient"}


def is_extended(name: str, value: Any) -> bool:
    """Whether the option `name` of a later era is on."""
    return name in EXTENSIONS and value is not None and value != EXTENSIONS[name]


def value_of(state: OptimizerState, name: str) -> Any:
    """A hyperparameter of `state`; where the source does not tell, its era's or r1.10's default."""
    defaults = dict(EXTENSIONS, **OPTIMIZERS[state.class_name].defaults)
    defaults.update(state.era_defaults)
    return state.hyperparameters.get(name, defaults.get(name))


def roles_read(state: OptimizerState) -> List[str]:
    """The roles that the next step of `state` depends on."""
    roles = list(OPTIMIZERS[state.class_name].roles)
    if state.class_name == "SGD" and not value_of(state, "momentum"):
        roles.remove("velocity")
    if state.class_name == "Adam" and not value_of(state, "amsgrad"):
        roles.remove("largest_second_moment")
    if state.class_name == "RMSprop":
        roles += [role for option, role in EXTENSION_ROLES.items() if value_of(state, option)]
    return roles


def depends_on_iterations(state: OptimizerState) -> bool:
    """Whether the number of finished steps changes the next one."""
    schedule = value_of(state, "learning_rate_schedule") is not None
    return schedule or bool(value_of(state, "decay")) or state.class_name in BIAS_CORRECTED


def momentum_product(state: OptimizerState, iterations: int, dtype: Any = np.float32) -> Any:
    """Nadam's `m_schedule` after `iterations` steps, multiplied up in `dtype` as the steps do."""
    beta_1, decay = float(value_of(state, "beta_1")), float(value_of(state, "schedule_decay"))
    return numpy_rules.nadam_momentum_product(np.dtype(dtype).type, iterations, beta_1, decay)


def learning_rate(state: OptimizerState) -> float:
    """The rate of the next step, in double precision."""
    decay, iterations = value_of(state, "decay") or 0.0, state.iterations or 0
    return float(value_of(state, "lr")) / (1.0 + float(decay) * iterations)


def step(
    state: OptimizerState, parameter: np.ndarray, gradient: np.ndarray, slots: Slots
) -> Tuple[np.ndarray, Slots]:
    """The next step of one parameter, without clipping.

    Arguments:
        state: hyperparameters, `iterations` and scalars are taken from it.
        parameter, gradient: arrays of one shape and floating dtype.
        slots: by role; what is missing is zero.

    Returns:
        The new parameter, and its new slots by role.
    """
    definition = OPTIMIZERS[state.class_name]
    iterations = state.iterations or 0
    number = parameter.dtype.type
    weight_decay = value_of(state, "weight_decay")
    if weight_decay:
        rate = number(learning_rate(state))
        parameter = parameter - parameter * number(weight_decay) * rate
    kept = {role: slots.get(role, np.zeros_like(parameter)) for role in definition.roles}
    if state.class_name == "RMSprop" and _is_later_rmsprop(state):
        return _later_rmsprop(state, parameter, gradient, slots)
    if state.class_name == "Adagrad" and value_of(state, "epsilon_inside_root"):
        return _later_adagrad(state, parameter, gradient, kept["sum_of_squares"])
    arguments = {name: value_of(state, name) for name in definition.defaults}
    given = [kept[role] for role in definition.roles]
    if state.class_name == "Nadam":
        product = state.scalars.get("m_schedule")
        if product is None:
            product = momentum_product(state, iterations, parameter.dtype)
        given = [np.asarray(product, parameter.dtype)] + given
    rule = numpy_rules.RULES[state.class_name]
    moved, updated = rule(parameter, gradient, tuple(given), iterations, **arguments)
    return moved, dict(zip(definition.roles, updated[-len(definition.roles) :]))


def _is_later_rmsprop(state: OptimizerState) -> bool:
    options = ("epsilon_inside_root", "momentum", "centered")
    return any(value_of(state, option) for option in options)


def _later_rmsprop(
    state: OptimizerState, parameter: np.ndarray, gradient: np.ndarray, slots: Slots
) -> Tuple[np.ndarray, Slots]:
    """RMSProp with momentum, centering, and epsilon on either side of the root."""
    number = parameter.dtype.type
    zeros = np.zeros_like(parameter)
    rate = numpy_rules.learning_rate(
        number, value_of(state, "lr"), value_of(state, "decay"), state.iterations or 0
    )
    rho, epsilon = number(value_of(state, "rho")), number(value_of(state, "epsilon"))
    new = {
        "mean_square": rho * slots.get("mean_square", zeros)
        + (number(1) - rho) * np.square(gradient)
    }
    variance = new["mean_square"]
    if value_of(state, "centered"):
        mean = rho * slots.get("mean_gradient", zeros) + (number(1) - rho) * gradient
        new["mean_gradient"] = mean
        variance = variance - np.square(mean)
    if value_of(state, "epsilon_inside_root"):
        divisor = np.sqrt(variance + epsilon)
    else:
        divisor = np.sqrt(variance) + epsilon
    moved = rate * gradient / divisor
    if value_of(state, "momentum"):
        moved = number(value_of(state, "momentum")) * slots.get("momentum", zeros) + moved
        new["momentum"] = moved
    return parameter - moved, new


def _later_adagrad(
    state: OptimizerState, parameter: np.ndarray, gradient: np.ndarray, kept: np.ndarray
) -> Tuple[np.ndarray, Slots]:
    """Adagrad with epsilon inside the root."""
    number = parameter.dtype.type
    rate = numpy_rules.learning_rate(
        number, value_of(state, "lr"), value_of(state, "decay"), state.iterations or 0
    )
    total = kept + np.square(gradient)
    divisor = np.sqrt(total + number(value_of(state, "epsilon")))
    return parameter - rate * gradient / divisor, {"sum_of_squares": total}


def clip(state: OptimizerState, gradient: np.ndarray, global_norm: Optional[float]) -> np.ndarray:
    """One gradient as `state` clips it; `global_norm` is the norm of all of them together."""
    number = gradient.dtype.type
    bound = value_of(state, "clipnorm")
    if bound:
        gradient = numpy_rules.clip_each_norm([gradient], bound)[0]
    bound = value_of(state, "global_clipnorm")
    if bound and global_norm is not None and global_norm >= bound:
        gradient = gradient * number(bound / global_norm)
    bound = value_of(state, "clipvalue")
    if bound is not None:
        gradient = numpy_rules.clip_each_value([gradient], bound)[0]
    return gradient
