"""The seven optimizers of r1.10 as plain facts: slots, hyperparameters, defaults, variables.

The table needs neither TensorFlow nor NumPy. The checkpoint part derives from it. The class
signatures and `numpy_rules` are written out in full, because people read them there;
`tests/checkpoint/test_reference.py` asserts that they agree with this table.
"""

from typing import Any, Dict, NamedTuple, Tuple


class Definition(NamedTuple):
    """What r1.10 says about one optimizer class.

    Attributes:
        roles: what each slot of a parameter means, in the order of the class's weights.
        defaults: the arguments of the constructor and their defaults; epsilon's is `K.epsilon()`.
        counted: whether the class's weights begin with `iterations`.
        variables: the scalar variables that the constructor creates, in the order of creation.
        bias_corrected: whether a step depends on the number of steps even without decay.
    """

    roles: Tuple[str, ...]
    defaults: Dict[str, Any]
    counted: bool
    variables: Tuple[str, ...]
    bias_corrected: bool = False


OPTIMIZERS: Dict[str, Definition] = {
    "SGD": Definition(
        roles=("velocity",),
        defaults={"lr": 0.01, "momentum": 0.0, "decay": 0.0, "nesterov": False},
        counted=True,
        variables=("iterations", "lr", "momentum", "decay"),
    ),
    "RMSprop": Definition(
        roles=("mean_square",),
        defaults={"lr": 0.001, "rho": 0.9, "epsilon": 1e-7, "decay": 0.0},
        counted=False,
        variables=("lr", "rho", "decay", "iterations"),
    ),
    "Adagrad": Definition(
        roles=("sum_of_squares",),
        defaults={"lr": 0.01, "epsilon": 1e-7, "decay": 0.0},
        counted=False,
        variables=("lr", "decay", "iterations"),
    ),
    "Adadelta": Definition(
        roles=("mean_square_gradient", "mean_square_step"),
        defaults={"lr": 1.0, "rho": 0.95, "epsilon": 1e-7, "decay": 0.0},
        counted=False,
        variables=("lr", "decay", "iterations"),
    ),
    "Adam": Definition(
        roles=("first_moment", "second_moment", "largest_second_moment"),
        defaults={
            "lr": 0.001,
            "beta_1": 0.9,
            "beta_2": 0.999,
            "epsilon": 1e-7,
            "decay": 0.0,
            "amsgrad": False,
        },
        counted=True,
        variables=("iterations", "lr", "beta_1", "beta_2", "decay"),
        bias_corrected=True,
    ),
    "Adamax": Definition(
        roles=("first_moment", "infinity_norm"),
        defaults={"lr": 0.002, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "decay": 0.0},
        counted=True,
        variables=("iterations", "lr", "beta_1", "beta_2", "decay"),
        bias_corrected=True,
    ),
    "Nadam": Definition(
        roles=("first_moment", "second_moment"),
        defaults={
            "lr": 0.002,
            "beta_1": 0.9,
            "beta_2": 0.999,
            "epsilon": 1e-7,
            "schedule_decay": 0.004,
        },
        counted=True,
        variables=("iterations", "m_schedule", "lr", "beta_1", "beta_2"),
        bias_corrected=True,
    ),
}

# Classes whose weights begin with `iterations`.
COUNTED = tuple(name for name, definition in OPTIMIZERS.items() if definition.counted)
BIAS_CORRECTED = tuple(name for name, definition in OPTIMIZERS.items() if definition.bias_corrected)
# The arguments of every class that bound gradients; `global_clipnorm` is ours and Keras 2.4's.
CLIPPING = ("clipnorm", "global_clipnorm", "clipvalue")
