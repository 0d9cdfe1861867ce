"""What is recorded: every case is an optimizer's class, its arguments and a problem.

The numbers that a case feeds come from seeds that its name determines. Arguments have the names
of TensorFlow r1.10.
"""

import zlib
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np

Case = NamedTuple(
    "Case",
    [
        ("name", str),
        ("class_name", str),
        ("arguments", Dict[str, Any]),
        ("problem", str),
        ("floatx", str),
        ("max_norm", float),  # 0: without a constraint
    ],
)

# Steps a case runs.
STEPS = {
    "fed gradients": 30,
    "dense net": 12,
    "lookups": 12,
    "extreme values": 8,
    "resume": 12,
}
RESUME_AFTER = 6

# Problem "fed gradients": a matrix, a vector longer than any SIMD register (with a remainder),
# a scalar.
SHAPES = [(3, 5), (17,), ()]
# Problem "lookups": a table that is looked up by rows, and a vector.
TABLE_SHAPES = [(7, 3), (4,)]
# Problem "dense net": two layers, weights and biases.
NET_SHAPES = [(6, 5), (5,), (5, 3), (3,)]
BATCH = 4

_FED_GRADIENTS = {
    "sgd": ("SGD", {}),
    "sgd_lr": ("SGD", {"lr": 0.3}),
    "sgd_momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}),
    "sgd_nesterov": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "sgd_decay": ("SGD", {"lr": 0.1, "decay": 0.1}),
    "sgd_nesterov_decay": (
        "SGD",
        {"lr": 0.05, "momentum": 0.8, "nesterov": True, "decay": 0.01},
    ),
    "sgd_clipnorm": ("SGD", {"lr": 0.1, "momentum": 0.5, "clipnorm": 1.0}),
    "sgd_clipvalue": ("SGD", {"lr": 0.1, "clipvalue": 0.25}),
    "sgd_clip_both": ("SGD", {"lr": 0.1, "clipnorm": 1.5, "clipvalue": 0.5}),
    "sgd_float16": ("SGD", {"lr": 0.05, "momentum": 0.9, "floatx": "float16"}),
    "sgd_max_norm": ("SGD", {"lr": 0.5, "momentum": 0.9, "max_norm": 1.0}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop_rho_epsilon": ("RMSprop", {"lr": 0.01, "rho": 0.7, "epsilon": 1e-3}),
    "rmsprop_decay": ("RMSprop", {"lr": 0.01, "decay": 0.1}),
    "rmsprop_clipnorm": ("RMSprop", {"clipnorm": 0.5}),
    "rmsprop_float64": ("RMSprop", {"decay": 0.02, "floatx": "float64"}),
    "adagrad": ("Adagrad", {}),
    "adagrad_epsilon": ("Adagrad", {"lr": 0.1, "epsilon": 0.1}),
    "adagrad_decay": ("Adagrad", {"lr": 0.1, "decay": 0.05}),
    "adagrad_clipvalue": ("Adagrad", {"clipvalue": 0.1}),
    "adagrad_float64": ("Adagrad", {"floatx": "float64"}),
    "adadelta": ("Adadelta", {}),
    "adadelta_rho_epsilon": ("Adadelta", {"lr": 0.7, "rho": 0.9, "epsilon": 1e-4}),
    "adadelta_decay": ("Adadelta", {"decay": 0.05}),
    "adadelta_clipnorm": ("Adadelta", {"clipnorm": 1.0}),
    "adadelta_float64": ("Adadelta", {"floatx": "float64"}),
    "adam": ("Adam", {}),
    "adam_betas_epsilon": ("Adam", {"beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-2}),
    "adam_decay": ("Adam", {"lr": 0.01, "decay": 0.1}),
    "adam_amsgrad": ("Adam", {"lr": 0.01, "amsgrad": True}),
    "adam_amsgrad_decay": ("Adam", {"lr": 0.01, "amsgrad": True, "decay": 0.05}),
    "adam_clipnorm": ("Adam", {"clipnorm": 0.5}),
    "adam_clipvalue": ("Adam", {"clipvalue": 0.5, "decay": 0.01}),
    "adam_float64": ("Adam", {"decay": 0.01, "floatx": "float64"}),
    "adam_max_norm": ("Adam", {"lr": 0.2, "max_norm": 0.5}),
    "adamax": ("Adamax", {}),
    "adamax_betas_epsilon": ("Adamax", {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}),
    "adamax_decay": ("Adamax", {"decay": 0.1}),
    "adamax_clipvalue": ("Adamax", {"clipvalue": 0.2}),
    "nadam": ("Nadam", {}),
    "nadam_betas_epsilon": ("Nadam", {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}),
    "nadam_schedule": ("Nadam", {"schedule_decay": 0.1}),
    "nadam_clipnorm": ("Nadam", {"clipnorm": 1.0}),
    "nadam_float64": ("Nadam", {"floatx": "float64"}),
}  # type: Dict[str, Tuple[str, Dict[str, Any]]]

_DENSE_NET = {
    "net_sgd": ("SGD", {"lr": 0.05, "momentum": 0.9}),
    "net_rmsprop": ("RMSprop", {"lr": 0.01}),
    "net_adagrad": ("Adagrad", {"lr": 0.05}),
    "net_adadelta": ("Adadelta", {"lr": 1.0}),
    "net_adam": ("Adam", {"lr": 0.01}),
    "net_adam_clipnorm": ("Adam", {"lr": 0.01, "clipnorm": 0.5}),
    "net_adamax": ("Adamax", {"lr": 0.01}),
    "net_nadam": ("Nadam", {"lr": 0.01}),
}  # type: Dict[str, Tuple[str, Dict[str, Any]]]

_LOOKUPS = {
    "lookups_sgd": ("SGD", {"lr": 0.1}),
    "lookups_sgd_momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}),
    "lookups_sgd_nesterov": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "lookups_sgd_clipvalue": ("SGD", {"lr": 0.1, "clipvalue": 0.25}),
    "lookups_rmsprop": ("RMSprop", {"lr": 0.01}),
    "lookups_adagrad": ("Adagrad", {"lr": 0.05}),
    "lookups_adadelta": ("Adadelta", {"lr": 1.0}),
    "lookups_adam": ("Adam", {"lr": 0.01}),
    "lookups_adam_amsgrad": ("Adam", {"lr": 0.01, "amsgrad": True}),
    "lookups_adamax": ("Adamax", {"lr": 0.01}),
    "lookups_nadam": ("Nadam", {"lr": 0.01}),
}  # type: Dict[str, Tuple[str, Dict[str, Any]]]

_EXTREME_VALUES = {
    "extreme_sgd": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "extreme_sgd_clipvalue": ("SGD", {"lr": 0.1, "clipvalue": 0.5}),
    "extreme_sgd_lr_0": ("SGD", {"lr": 0.0}),
    "extreme_rmsprop": ("RMSprop", {}),
    "extreme_rmsprop_epsilon_0": ("RMSprop", {"epsilon": 0.0}),
    "extreme_adagrad": ("Adagrad", {}),
    "extreme_adagrad_epsilon_0": ("Adagrad", {"epsilon": 0.0}),
    "extreme_adadelta": ("Adadelta", {"lr": 1.0}),
    "extreme_adadelta_epsilon_0": ("Adadelta", {"lr": 1.0, "epsilon": 0.0}),
    "extreme_adam": ("Adam", {}),
    "extreme_adam_epsilon_0": ("Adam", {"epsilon": 0.0}),
    "extreme_adamax": ("Adamax", {}),
    "extreme_adamax_epsilon_0": ("Adamax", {"epsilon": 0.0}),
    "extreme_nadam": ("Nadam", {}),
    "extreme_nadam_epsilon_0": ("Nadam", {"epsilon": 0.0}),
}  # type: Dict[str, Tuple[str, Dict[str, Any]]]

_RESUME = {
    "resume_sgd": ("SGD", {"lr": 0.05, "momentum": 0.9, "decay": 0.1}),
    "resume_rmsprop": ("RMSprop", {"lr": 0.01}),
    "resume_rmsprop_decay": ("RMSprop", {"lr": 0.01, "decay": 0.1}),
    "resume_adagrad_decay": ("Adagrad", {"lr": 0.05, "decay": 0.1}),
    "resume_adadelta_decay": ("Adadelta", {"lr": 1.0, "decay": 0.1}),
    "resume_adam_decay": ("Adam", {"lr": 0.01, "decay": 0.1}),
    "resume_adamax_decay": ("Adamax", {"lr": 0.01, "decay": 0.1}),
    "resume_nadam": ("Nadam", {"lr": 0.01}),
}  # type: Dict[str, Tuple[str, Dict[str, Any]]]


def _case(name: str, class_name: str, arguments: Dict[str, Any], problem: str) -> Case:
    own = dict(arguments)
    floatx, max_norm = own.pop("floatx", "float32"), own.pop("max_norm", 0.0)
    return Case(name, class_name, own, problem, floatx, max_norm)


CASES = {
    name: _case(name, class_name, arguments, problem)
    for problem, group in (
        ("fed gradients", _FED_GRADIENTS),
        ("dense net", _DENSE_NET),
        ("lookups", _LOOKUPS),
        ("extreme values", _EXTREME_VALUES),
        ("resume", _RESUME),
    )
    for name, (class_name, arguments) in group.items()
}
_CUSTOM: Dict[str, Tuple[str, Dict[str, Any]]] = {
    "custom": ("fed gradients", {}),
    "custom_decay": ("fed gradients", {"decay": 0.1}),
    "custom_clipnorm": ("fed gradients", {"clipnorm": 0.5}),
    "custom_clipvalue": ("fed gradients", {"clipvalue": 0.25}),
    "custom_max_norm": ("fed gradients", {"max_norm": 0.5}),
    "custom_net": ("dense net", {}),
    "custom_lookups": ("lookups", {}),
    "custom_extreme": ("extreme values", {}),
    "custom_resume": ("resume", {}),
}
# For a class that no upstream version has: arguments that nearly every optimizer knows. What it
# does not know, it refuses, and the refusal is what is recorded.
CUSTOM_CASES = {
    name: _case(name, "", arguments, problem) for name, (problem, arguments) in _CUSTOM.items()
}
CLASS_NAMES = ("SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam")


def shapes(case: Case) -> List[Tuple[int, ...]]:
    """The shapes of the trained parameters."""
    if case.problem == "dense net":
        return list(NET_SHAPES)
    if case.problem == "lookups":
        return list(TABLE_SHAPES)
    if case.problem == "extreme values":
        return [(len(_EXTREMES),), (2, len(_EXTREMES))]
    return list(SHAPES)


def initial_values(case: Case) -> List[np.ndarray]:
    """The parameters before the first step."""
    random = _random(case.name, 0)
    values = [np.asarray(random.standard_normal(shape), case.floatx) for shape in shapes(case)]
    return [value * value.dtype.type(0.5) for value in values] if _is_net(case) else values


def fed_values(case: Case) -> List[List[np.ndarray]]:
    """For every step what is fed, in the order of the problem's placeholders."""
    random = _random(case.name, 1)
    makers = {"dense net": _batch, "lookups": _lookup, "extreme values": _extreme}
    make = makers.get(case.problem, _gradients)
    return [make(random, case, step) for step in range(STEPS[case.problem])]


def _gradients(random: Any, case: Case, step: int) -> List[np.ndarray]:
    # Their size varies, so that clipping comes and goes.
    scale = 10.0 ** ((step % 7 - 4) / 2.0)
    return [np.asarray(scale * random.standard_normal(shape), case.floatx) for shape in SHAPES]


def _batch(random: Any, case: Case, step: int) -> List[np.ndarray]:
    features = random.standard_normal((BATCH, NET_SHAPES[0][0]))
    targets = random.standard_normal((BATCH, NET_SHAPES[-1][0]))
    return [np.asarray(features, case.floatx), np.asarray(targets, case.floatx)]


def _lookup(random: Any, case: Case, step: int) -> List[np.ndarray]:
    # Row 0 is never looked up; each batch has a row twice or three times.
    rows = random.randint(1, TABLE_SHAPES[0][0], 5)
    rows[3:] = rows[0]
    gradients = [random.standard_normal((5, TABLE_SHAPES[0][1]))]
    gradients.append(random.standard_normal(TABLE_SHAPES[1]))
    return [np.asarray(rows, "int32")] + [np.asarray(g, case.floatx) for g in gradients]


# What one element of the gradient is in the steps 0, 1, 2 ...; the last value stays.
_EXTREMES = (
    (0.0,),
    (-0.0, 0.0),
    (1e-42, -1e-42, 0.0),  # denormal in float32
    (1e-30, 1e-30, -1e-30),
    (1e-20, 1.0, 1e-20),
    (1e10, -1e10, 1e-10),
    (1e30, 1e30, -1e30, 0.0),
    (1.0, float("inf"), 0.0),
    (1.0, 1.0, float("-inf"), 1.0),
    (1.0, float("nan"), 0.0),
    (1.0, -1.0, 0.5),
)


def _extreme(random: Any, case: Case, step: int) -> List[np.ndarray]:
    row = [values[min(step, len(values) - 1)] for values in _EXTREMES]
    return [np.asarray(row, case.floatx), np.asarray([row[::-1], row], case.floatx)]


def _is_net(case: Case) -> bool:
    return case.problem == "dense net"


def _random(name: str, stream: int) -> Any:
    return np.random.RandomState(zlib.crc32(name.encode()) % 2**31 + stream)
