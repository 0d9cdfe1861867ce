"""The update rules in plain NumPy: an oracle to test the optimizers against, and to read.

It needs neither TensorFlow nor the rest of the package. Every rule is a pure function

    rule(parameter, gradient, slots, iterations, **hyperparameters) -> (parameter, slots)

of one parameter: arrays of one dtype (float16, float32 or float64), the state kept for this
parameter (a tuple of arrays, see each rule), and the number of steps that are already done. Every
operation is in that dtype, in the order of the TensorFlow code, so that results agree nearly to
the bit. The names and defaults of the hyperparameters are those of r1.10.

`NumpyOptimizer` clips, applies a rule to a list of parameters and counts the steps.
"""

import inspect
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

Slots = Tuple[np.ndarray, ...]
Updated = Tuple[np.ndarray, Slots]

DEFAULT_EPSILON = 1e-7

# NumPy makes `np.float32(x) * 0.5` a float64, therefore no plain number meets a scalar below:
# `number` is the scalar type of the parameter, and `one` is its 1. A power of two scalars is the C
# library's, as TensorFlow's is; that of `np.power` is rounded otherwise by later releases of NumPy.


def learning_rate(number: Any, lr: float, decay: float, iterations: int) -> Any:
    """The rate of the step that follows `iterations` finished ones, in the dtype `number`."""
    if not decay > 0:
        return number(lr)
    one = number(1)
    return number(lr) * (one / (one + number(decay) * number(iterations)))


def sgd(
    parameter: np.ndarray,
    gradient: np.ndarray,
    slots: Slots,
    iterations: int,
    lr: float = 0.01,
    momentum: float = 0.0,
    decay: float = 0.0,
    nesterov: bool = False,
) -> Updated:
    """Gradient descent with momentum; the slot is the velocity."""
    number = parameter.dtype.type
    (velocity,) = slots
    rate, share = learning_rate(number, lr, decay, iterations), number(momentum)
    velocity = share * velocity - rate * gradient
    if nesterov:
        return parameter + share * velocity - rate * gradient, (velocity,)
    return parameter + velocity, (velocity,)


def rmsprop(
    parameter: np.ndarray,
    gradient: np.ndarray,
    slots: Slots,
    iterations: int,
    lr: float = 0.001,
    rho: float = 0.9,
    epsilon: Optional[float] = None,
    decay: float = 0.0,
) -> Updated:
    """RMSProp; the slot is the running mean of the squared gradient."""
    number = parameter.dtype.type
    (mean_square,) = slots
    rate, share = learning_rate(number, lr, decay, iterations), number(rho)
    mean_square = share * mean_square + (number(1) - share) * np.square(gradient)
    divisor = np.sqrt(mean_square) + number(_epsilon(epsilon))
    return parameter - rate * gradient / divisor, (mean_square,)


def adagrad(
    parameter: np.ndarray,
    gradient: np.ndarray,
    slots: Slots,
    iterations: int,
    lr: float = 0.01,
    epsilon: Optional[float] = None,
    decay: float = 0.0,
) -> Updated:
    """Adagrad; the slot is the sum of the squared gradients."""
    number = parameter.dtype.type
    (sum_of_squares,) = slots
    rate = learning_rate(number, lr, decay, iterations)
    sum_of_squares = sum_of_squares + np.square(gradient)
    divisor = np.sqrt(sum_of_squares) + number(_epsilon(epsilon))
    return parameter - rate * gradient / divisor, (sum_of_squares,)


def adadelta(
    parameter: np.ndarray,
    gradient: np.ndarray,
    slots: Slots,
    iterations: int,
    lr: float = 1.0,
    rho: float = 0.95,
    epsilon: Optional[float] = None,
    decay: float = 0.0,
) -> Updated:
    """Adadelta; the slots are the running means of the squared gradient and the squared step."""
    number = parameter.dtype.type
    mean_square_gradient, mean_square_step = slots
    rate, small = learning_rate(number, lr, decay, iterations), number(_epsilon(epsilon))
    # Here rho is no variable: the difference is exact in double before it is rounded.
    share, rest = number(rho), number(1.0 - rho)
    mean_square_gradient = share * mean_square_gradient + rest * np.square(gradient)
    step = gradient * np.sqrt(mean_square_step + small) / np.sqrt(mean_square_gradient + small)
    mean_square_step = share * mean_square_step + rest * np.square(step)
    return parameter - rate * step, (mean_square_gradient, mean_square_step)


def adam(
    parameter: np.ndarray,
    gradient: np.ndarray,
    slots: Slots,
    iterations: int,
    lr: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: Optional[float] = None,
    decay: float = 0.0,
    amsgrad: bool = False,
) -> Updated:
    """Adam; the slots are the first, the second and (with `amsgrad`) the largest second moment."""
    number = parameter.dtype.type
    first_moment, second_moment, largest = slots
    one, time = number(1), number(iterations + 1)
    share_1, share_2 = number(beta_1), number(beta_2)
    bias_correction = np.sqrt(one - share_2**time) / (one - share_1**time)
    rate = learning_rate(number, lr, decay, iterations) * bias_correction
    first_moment = share_1 * first_moment + (one - share_1) * gradient
    second_moment = share_2 * second_moment + (one - share_2) * np.square(gradient)
    if amsgrad:
        largest = np.maximum(largest, second_moment)
    root = np.sqrt(largest if amsgrad else second_moment)
    parameter = parameter - rate * first_moment / (root + number(_epsilon(epsilon)))
    return parameter, (first_moment, second_moment, largest)


def adamax(
    parameter: np.ndarray,
    gradient: np.ndarray,
    slots: Slots,
    iterations: int,
    lr: float = 0.002,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: Optional[float] = None,
    decay: float = 0.0,
) -> Updated:
    """Adamax; the slots are the first moment and the infinity norm."""
    number = parameter.dtype.type
    first_moment, infinity_norm = slots
    one, time = number(1), number(iterations + 1)
    share_1, share_2 = number(beta_1), number(beta_2)
    rate = learning_rate(number, lr, decay, iterations) / (one - share_1**time)
    first_moment = share_1 * first_moment + (one - share_1) * gradient
    infinity_norm = np.maximum(share_2 * infinity_norm, np.abs(gradient))
    divisor = infinity_norm + number(_epsilon(epsilon))
    return parameter - rate * first_moment / divisor, (first_moment, infinity_norm)


def nadam(
    parameter: np.ndarray,
    gradient: np.ndarray,
    slots: Slots,
    iterations: int,
    lr: float = 0.002,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: Optional[float] = None,
    schedule_decay: float = 0.004,
) -> Updated:
    """Nadam; the slots are the product of the momenta so far, the first and the second moment."""
    number = parameter.dtype.type
    product, first_moment, second_moment = slots
    one, time = number(1), number(iterations + 1)
    share_1, share_2 = number(beta_1), number(beta_2)
    momentum = nadam_momentum(number, time, share_1, schedule_decay)
    next_momentum = nadam_momentum(number, time + one, share_1, schedule_decay)
    product = product * momentum
    next_product = product * next_momentum
    first_moment = share_1 * first_moment + (one - share_1) * gradient
    second_moment = share_2 * second_moment + (one - share_2) * np.square(gradient)
    corrected_gradient = gradient / (one - product)
    corrected_first_moment = first_moment / (one - next_product)
    corrected_second_moment = second_moment / (one - share_2**time)
    direction = (one - momentum) * corrected_gradient + next_momentum * corrected_first_moment
    divisor = np.sqrt(corrected_second_moment) + number(_epsilon(epsilon))
    parameter = parameter - number(lr) * direction / divisor
    return parameter, (product, first_moment, second_moment)


def nadam_momentum(number: Any, time: Any, beta_1: Any, schedule_decay: float) -> Any:
    """The momentum of the step `time` (from 1), in the dtype `number`."""
    warming = number(0.96) ** (time * number(schedule_decay))
    return beta_1 * (number(1) - number(0.5) * warming)


def nadam_momentum_product(number: Any, steps: int, beta_1: float, schedule_decay: float) -> Any:
    """The product of the momenta of the first `steps` steps, multiplied up as the steps do."""
    product = number(1)
    for step in range(1, steps + 1):
        product = product * nadam_momentum(number, number(step), number(beta_1), schedule_decay)
        if product == 0:  # below the smallest number, where it stays
            break
    return number(product)


def _epsilon(epsilon: Optional[float]) -> float:
    return DEFAULT_EPSILON if epsilon is None else epsilon


def clip_each_norm(gradients: Sequence[np.ndarray], bound: float) -> List[np.ndarray]:
    """Scale every gradient whose own L2 norm exceeds `bound` down to it."""
    clipped = []
    for gradient in gradients:
        number = gradient.dtype.type
        norm = np.sqrt(np.sum(np.square(gradient)))
        clipped.append(gradient * number(bound) / np.maximum(norm, number(bound)))
    return clipped


def clip_global_norm(gradients: Sequence[np.ndarray], bound: float) -> List[np.ndarray]:
    """Scale all gradients by one factor so that their common L2 norm is at most `bound`.

    A bound of 0 means no clipping, as `clipnorm` does in standalone Keras 2.x.
    """
    if bound == 0:
        return list(gradients)
    sums = [np.sum(np.square(gradient)) for gradient in gradients]
    norm = np.sqrt(sum(sums[1:], sums[0]))
    if not norm >= bound:
        return list(gradients)
    factor = norm.dtype.type(bound) / norm
    return [gradient * factor for gradient in gradients]


def clip_each_value(gradients: Sequence[np.ndarray], bound: float) -> List[np.ndarray]:
    """Bound the absolute value of every element by `bound`."""
    clipped = []
    for gradient in gradients:
        limit = gradient.dtype.type(bound)
        clipped.append(np.maximum(np.minimum(gradient, limit), -limit))
    return clipped


RULES: Dict[str, Callable[..., Updated]] = {
    "SGD": sgd,
    "RMSprop": rmsprop,
    "Adagrad": adagrad,
    "Adadelta": adadelta,
    "Adam": adam,
    "Adamax": adamax,
    "Nadam": nadam,
}

# In the order in which they apply.
CLIPPING: Dict[str, Callable[..., List[np.ndarray]]] = {
    "clipnorm": clip_each_norm,
    "global_clipnorm": clip_global_norm,
    "clipvalue": clip_each_value,
}

# These have `iterations` among their weights.
_COUNTED = ("SGD", "Adam", "Adamax", "Nadam")


def initial_slots(class_name: str, parameter: np.ndarray, amsgrad: bool = False) -> Slots:
    """The state of one parameter before the first step."""
    zeros = np.zeros_like(parameter)
    if class_name == "Adam":  # the third is a stand-in where AMSGrad is off
        return zeros, zeros, zeros if amsgrad else np.zeros([1], parameter.dtype)
    if class_name == "Nadam":
        return np.ones([], parameter.dtype), zeros, zeros
    return (zeros, zeros) if class_name in ("Adadelta", "Adamax") else (zeros,)


class NumpyOptimizer:
    """A rule applied to a list of parameters, step by step.

    Arguments:
        class_name: name of an optimizer class, such as "Adam".
        parameters: arrays of one dtype, at least one.
        **arguments: arguments of that class in r1.10, among them the clipping (`clipnorm`,
            `clipvalue`; also `global_clipnorm`), None for none.

    Attributes:
        parameters: their values after the steps so far.
        slots: a tuple a parameter, as the rules take them.
        iterations: the number of steps so far.

    Raises:
        TypeError: If the class has no such argument.
        ValueError: If there is no such class, no parameter, or more than one dtype.
    """

    def __init__(self, class_name: str, parameters: Sequence[Any], **arguments: Any) -> None:
        if class_name not in RULES:
            raise ValueError(f"Unknown class {class_name!r}; there are: {', '.join(RULES)}.")
        self.parameters = [np.asarray(parameter) for parameter in parameters]
        dtypes = {parameter.dtype for parameter in self.parameters}
        if len(dtypes) != 1 or next(iter(dtypes)).kind != "f":
            names = sorted(dtype.name for dtype in dtypes)
            raise ValueError(f"Expected parameters of one floating dtype, received: {names}.")
        self.class_name = class_name
        self.clipping = {name: arguments.pop(name, None) for name in CLIPPING}
        inspect.signature(RULES[class_name]).bind(None, None, None, None, **arguments)
        self.arguments = arguments
        self.iterations = 0
        amsgrad = arguments.get("amsgrad", False)
        self.slots = [initial_slots(class_name, one, amsgrad) for one in self.parameters]

    def step(self, gradients: Sequence[Any]) -> None:
        """Move every parameter by its gradient.

        Raises:
            ValueError: If the gradients do not have the parameters' number and shapes.
        """
        found = [np.asarray(gradient, self.parameters[0].dtype) for gradient in gradients]
        expected = [parameter.shape for parameter in self.parameters]
        received = [gradient.shape for gradient in found]
        if expected != received:  # NumPy would broadcast them silently
            raise ValueError(f"Expected gradients of shapes {expected}, received: {received}.")
        for name, clip in CLIPPING.items():
            if self.clipping[name] is not None:
                found = clip(found, self.clipping[name])
        rule = RULES[self.class_name]
        for index, gradient in enumerate(found):
            parameter, slots = rule(
                self.parameters[index],
                gradient,
                self.slots[index],
                self.iterations,
                **self.arguments,
            )
            # NumPy turns arrays without dimensions into scalars.
            self.parameters[index] = np.asarray(parameter)
            self.slots[index] = tuple(np.asarray(slot) for slot in slots)
        self.iterations += 1

    @property
    def weights(self) -> List[np.ndarray]:
        """The state in the order of `get_weights` of the TensorFlow class."""
        weights = []
        if self.class_name in _COUNTED:
            weights.append(np.asarray(self.iterations, np.int64))
        for role, of_parameters in enumerate(zip(*self.slots)):
            if self.class_name == "Nadam" and role == 0:  # the same for every parameter
                of_parameters = of_parameters[:1]
            weights += of_parameters
        return weights


def run(
    class_name: str,
    parameters: Sequence[Any],
    gradients_of_steps: Iterable[Sequence[Any]],
    **arguments: Any,
) -> Iterator[Tuple[List[np.ndarray], List[np.ndarray]]]:
    """Train on given gradients: the parameters and the weights after each step.

    Arguments:
        class_name, parameters, **arguments: as for `NumpyOptimizer`.
        gradients_of_steps: for every step a list of gradients, one a parameter.

    Raises:
        TypeError, ValueError: As `NumpyOptimizer` and its `step`.
    """
    optimizer = NumpyOptimizer(class_name, parameters, **arguments)
    for gradients in gradients_of_steps:
        optimizer.step(gradients)
        yield list(optimizer.parameters), optimizer.weights
