"""`tf.train.Saver` checkpoints of graphs with `tf.train`'s optimizers.

Slots are named after their parameter: `dense/kernel/Adam`, `dense/kernel/Adam_1`. No
hyperparameter is in the file; Adam's `beta1_power` and `beta2_power` tell how many steps were done.
"""

import math
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from keras_optimizers import reference
from keras_optimizers.checkpoint import mathematics
from keras_optimizers.checkpoint.confirmation import differences
from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.errors import CheckpointError, NotRepresentable
from keras_optimizers.checkpoint.formats.format import Format, WriteRequest
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.report import APPROXIMATE, RECOMPUTED, Report
from keras_optimizers.checkpoint.state import Array, OptimizerState, Parameter, Provenance
from keras_optimizers.checkpoint.storage import bundles

LAYOUT = layouts.TF_TRAIN


class Names(NamedTuple):
    """tf.train's name of a class, its slots' roles in their order, and its defaults."""

    name: str
    roles: Tuple[str, ...]
    defaults: Dict[str, Any]


OPTIMIZERS = {
    "SGD": Names("Momentum", ("velocity",), {"nesterov": False}),
    "RMSprop": Names(
        "RMSProp",
        ("mean_square", "momentum"),
        {"rho": 0.9, "epsilon": 1e-10, "momentum": 0.0},
    ),
    "Adagrad": Names("Adagrad", ("sum_of_squares",), {}),
    "Adadelta": Names(
        "Adadelta",
        ("mean_square_gradient", "mean_square_step"),
        {"lr": 0.001, "rho": 0.95, "epsilon": 1e-8},
    ),
    "Adam": Names(
        "Adam",
        ("first_moment", "second_moment"),
        {
            "lr": 0.001,
            "beta_1": 0.9,
            "beta_2": 0.999,
            "epsilon": 1e-8,
        },
    ),
}
_CENTERED = ("mean_square", "mean_gradient", "momentum")


def class_of(tensors: Dict[str, Array]) -> Optional[str]:
    """The class whose slots are there; None where there are none."""
    for class_name, names in OPTIMIZERS.items():
        if _slotted(tensors, names.name):
            return class_name
    return None


def _slotted(tensors: Dict[str, Array], name: str) -> List[str]:
    """Names of the variables that have a slot of that name."""
    ending = "/" + name
    return [
        one[: -len(ending)]
        for one in tensors
        if one.endswith(ending) and one[: -len(ending)] in tensors
    ]


def read(
    prefix: str,
    tensors: Dict[str, Array],
    candidates: Optional[Sequence[Candidate]],
    values: Dict[str, Any],
    class_name: Optional[str] = None,
) -> OptimizerState:
    """The state in such a checkpoint.

    Arguments:
        tensors: all of them, by name.
        candidates: the model's variables in their order, from a file that holds the model.
        values: hyperparameters, of which the file holds none.
        class_name: needed for gradient descent without momentum, which leaves no trace.

    Raises:
        CheckpointError: If the class, or the learning rate of momentum, is needed.
    """
    class_name = class_of(tensors) or class_name
    if class_name not in OPTIMIZERS:
        raise CheckpointError(
            f"{prefix!r} holds no slots of an optimizer that is known. If it is gradient "
            "descent without momentum, say --class SGD."
        )
    names = OPTIMIZERS[class_name]
    slotted = _slotted(tensors, names.name)
    order = _order(slotted, tensors, candidates, names.name)
    parameters = [_parameter(tensors, one) for one in order]
    hyperparameters = {name: value for name, value in values.items() if value is not None}
    notes = ["No hyperparameter is in a Saver file; give them with --set NAME=VALUE."]
    if class_name == "Adam":
        hyperparameters["amsgrad"] = False  # there is none
    # Nor is there a decay: a rate that changes is the user's own code.
    hyperparameters.setdefault("decay", 0.0)
    if class_name == "Adagrad":
        hyperparameters.setdefault("epsilon", 0.0)
    role_names: Tuple[str, ...] = names.roles if slotted else ()
    if class_name == "RMSprop" and order and f"{order[0]}/{names.name}_2" in tensors:
        role_names = _CENTERED
        hyperparameters.setdefault("centered", True)
    slots: Dict[str, Dict[str, Array]] = {}
    for number, role in enumerate(role_names):
        ending = names.name + (f"_{number}" if number else "")
        slots[role] = {
            one: tensors[f"{one}/{ending}"] for one in slotted if f"{one}/{ending}" in tensors
        }
    if class_name == "SGD":
        _velocities(slots, hyperparameters, prefix)
    if class_name == "RMSprop":
        hyperparameters.setdefault("epsilon_inside_root", True)
    iterations = _iterations(tensors, class_name, hyperparameters, notes)
    state = OptimizerState(
        class_name,
        hyperparameters,
        iterations,
        parameters,
        slots,
        {},
        Provenance(prefix, LAYOUT.name, LAYOUT.title, "tf.train.Saver"),
        notes,
    )
    state.era_defaults = dict(names.defaults)
    endings = {f"{one}/{names.name}" for one in slotted}
    powers = ("beta1_power", "beta2_power", "global_step")
    state.variables = {
        name: array
        for name, array in tensors.items()
        if name.split("/")[-1] not in powers
        and name not in endings
        and not any(name.startswith(ending + "_") for ending in endings)
    }
    return state


def _parameter(tensors: Dict[str, Array], name: str) -> Parameter:
    array = tensors[name]
    return Parameter(name, array.shape, array.dtype.name, array)


def _order(
    slotted: Sequence[str],
    tensors: Dict[str, Array],
    candidates: Optional[Sequence[Candidate]],
    slot_name: str,
) -> List[str]:
    """The trained variables in the model's order, or by name where there is no model."""
    if candidates is None:
        return sorted(slotted)
    wanted = [candidate.name for candidate in candidates]
    if slotted:
        return [name for name in wanted if name in slotted] + sorted(set(slotted) - set(wanted))
    return [c.name for c in candidates if c.trainable is not False and c.name in tensors]


def _velocities(slots: Dict[str, Dict[str, Array]], options: Dict[str, Any], prefix: str) -> None:
    """tf.train's accumulator leaves the learning rate out, and has the gradient's sign."""
    if not slots:
        options.setdefault("momentum", 0.0)
        return
    for name in ("lr", "momentum"):
        if name not in options:
            raise CheckpointError(
                f"{prefix!r} holds MomentumOptimizer's accumulators, which are velocities only "
                f"together with {name}. Give it with --set {name}=VALUE."
            )
    for name, array in slots["velocity"].items():
        slots["velocity"][name] = array.scaled(-float(options["lr"]))


def _iterations(
    tensors: Dict[str, Array], class_name: str, options: Dict[str, Any], notes: List[str]
) -> Optional[int]:
    """From `global_step`, else from the powers of Adam's betas."""
    step = tensors.get("global_step")
    powers = [tensors.get(name) for name in ("beta1_power", "beta2_power")]
    if step is not None:
        iterations = int(step.read())
        if class_name == "Adam" and powers[1] is not None:
            _check_powers(powers, options, iterations, notes)
        return iterations
    if class_name != "Adam" or powers[1] is None:
        return None
    power, beta_2 = float(powers[1].read()), float(options.get("beta_2", 0.999))
    if not 0 < power < 1:
        return None
    found = round(math.log(power) / math.log(beta_2)) - 1
    notes.append(
        f"iterations: {found}, inferred from beta2_power={power:.6g} with beta_2={beta_2:g}."
    )
    return max(found, 0)


def _check_powers(
    powers: Sequence[Optional[Array]], options: Dict[str, Any], iterations: int, notes: List[str]
) -> None:
    """The betas follow from their powers and the number of steps."""
    for name, power in zip(("beta_1", "beta_2"), powers):
        value = float(power.read()) if power is not None else 0.0
        if name in options or not 1e-30 < value < 1:
            continue
        found = value ** (1.0 / (iterations + 1))
        usual = OPTIMIZERS["Adam"].defaults[name]
        options[name] = usual if abs(found - usual) < 1e-5 else round(found, 6)
        notes.append(
            f"{name}: {options[name]:g}, inferred from its power and global_step={iterations}."
        )


def write(request: WriteRequest) -> None:
    """Write such a checkpoint: the variables, their slots, `global_step`, Adam's powers.

    Raises:
        NotRepresentable: If tf.train has no such optimizer.
    """
    state, report = request.state, request.report
    names = OPTIMIZERS[state.class_name]
    options = state.hyperparameters
    tensors = [(name, array) for name, array in state.variables.items()]
    known = {name for name, _ in tensors}
    for parameter in state.parameters:
        if parameter.name not in known and parameter.value is not None:
            tensors.append((parameter.name, parameter.value))
    role_names = names.roles if state.class_name != "SGD" or options.get("momentum") else ()
    if options.get("centered"):
        role_names = _CENTERED
    for parameter in state.parameters:
        for number, role in enumerate(role_names):
            ending = names.name + (f"_{number}" if number else "")
            tensors.append((f"{parameter.name}/{ending}", _slot(state, role, parameter)))
    iterations = state.iterations or 0
    tensors.append(("global_step", Array.of(np.asarray(iterations, np.int64))))
    if state.class_name == "Adam":
        for beta in ("1", "2"):
            power = np.float32(float(options[f"beta_{beta}"]) ** (iterations + 1))
            tensors.append((f"beta{beta}_power", Array.of(power)))
        report.add("beta1_power, beta2_power", RECOMPUTED, "from iterations")
    report.note("A Saver file holds no hyperparameters: " + constructor(state))
    bundles.write_bundle(request.path, tensors, request.progress, request.confirm)


def _slot(state: OptimizerState, role: str, parameter: Parameter) -> Array:
    found = state.slots.get(role, {}).get(parameter.name)
    if found is None:
        return Array.filled(parameter.shape, parameter.dtype, 0)
    if role == "velocity":
        return found.scaled(-1.0 / mathematics.learning_rate(state))
    if role == "sum_of_squares":
        return _raised(found)
    return found


def _raised(array: Array) -> Array:
    """tf.train's Adagrad divides by the root alone: where nothing is summed yet, 0 by 0."""

    def load() -> np.ndarray:
        return np.maximum(array.read(), array.dtype.type(1e-14))

    return Array(array.shape, array.dtype, load)


def adapt(state: OptimizerState, report: Report) -> OptimizerState:
    """The state as tf.train's optimizers go on from it; what they do otherwise is reported.

    Raises:
        NotRepresentable: If tf.train has no such optimizer.
    """
    if state.class_name not in OPTIMIZERS:
        raise NotRepresentable(f"tf.train has no {state.class_name}.")
    if value_is_on(state, "amsgrad"):
        raise NotRepresentable("tf.train's Adam has no AMSGrad.")
    if state.class_name == "Adagrad" and state.hyperparameters.get("epsilon", 1e-7):
        state = state.copy()
        state.hyperparameters["epsilon"] = 0.0
        report.add("epsilon", APPROXIMATE, "0: tf.train's Adagrad divides by the root alone")
    if value_is_on(state, "decay"):
        how = "as tf.train.inverse_time_decay(lr, global_step, 1, decay), see the note"
        report.add("decay", RECOMPUTED, how)
        if value_is_on(state, "momentum"):
            report.add(
                "velocity",
                APPROXIMATE,
                "the next step is equal; later ones weigh old gradients by the later rate",
            )
    if state.class_name == "SGD" and value_is_on(state, "momentum"):
        report.add("velocity", RECOMPUTED, "without the learning rate, with the gradient's sign")
    return state


def value_is_on(state: OptimizerState, name: str) -> bool:
    """Whether a hyperparameter is set to something."""
    return bool(state.hyperparameters.get(name))


def constructor(state: OptimizerState) -> str:
    """How to make the tf.train optimizer that goes on."""
    options = state.hyperparameters
    rate = f"{options['lr']!r}"
    if options.get("decay"):
        rate = f"tf.train.inverse_time_decay({rate}, global_step, 1, {options['decay']!r})"
    arguments = [rate]
    pairs: Dict[str, str] = {
        "momentum": "momentum",
        "nesterov": "use_nesterov",
        "rho": "rho",
        "beta_1": "beta1",
        "beta_2": "beta2",
        "epsilon": "epsilon",
        "centered": "centered",
    }
    if state.class_name == "RMSprop":
        pairs["rho"] = "decay"
    names = OPTIMIZERS[state.class_name]
    class_name = names.name
    if state.class_name == "SGD" and not options.get("momentum"):
        return f"make the optimizer with tf.train.GradientDescentOptimizer({rate})."
    for ours, theirs in pairs.items():
        own = ours in reference.OPTIMIZERS[state.class_name].defaults or options.get(ours)
        if own and ours in options and (state.class_name, ours) != ("Adagrad", "epsilon"):
            arguments.append(f"{theirs}={options[ours]!r}")
    return f"make the optimizer with tf.train.{class_name}Optimizer({', '.join(arguments)})."


def _differences(
    meant: OptimizerState, found: OptimizerState, counts: bool, progress: Any = None
) -> List[str]:
    """What a written file holds otherwise, by the parameters' names: it keeps no order of them."""
    held = {parameter.name: parameter for parameter in found.parameters}
    in_order = [held[one.name] for one in meant.parameters if one.name in held]
    if not mathematics.roles_read(meant):  # without slots it does not tell what is trained
        in_order = list(meant.parameters)
    found = found.copy()
    found.parameters = in_order
    if "velocity" in found.slots:  # the file knows no decay, so the first rate was used
        share = mathematics.learning_rate(meant) / float(meant.hyperparameters["lr"])
        velocities = found.slots["velocity"].items()
        found.slots["velocity"] = {name: one.scaled(share) for name, one in velocities}
    # A velocity is divided by the learning rate, and multiplied when it is read.
    return differences(meant, found, counts, tolerance=1e-6, progress=progress)


FORMAT = Format(
    LAYOUT,
    write,
    adapt,
    remedy="It is several files: give their common prefix, without an ending.",
    differences=_differences,
    needs_tensorflow=True,
)
