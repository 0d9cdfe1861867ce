"""Make a state fit what a target can express, and say for every field what became of it."""

from typing import Any, Dict, List

import numpy as np

from keras_optimizers import changed_defaults, reference
from keras_optimizers.checkpoint import mathematics
from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.eras.layout import Layout
from keras_optimizers.checkpoint.errors import NotRepresentable
from keras_optimizers.checkpoint.mathematics import value_of
from keras_optimizers.checkpoint.report import (
    APPROXIMATE,
    COPIED,
    DEFAULTED,
    LOST,
    RECOMPUTED,
    UNUSED,
    Report,
)
from keras_optimizers.checkpoint.state import Array, OptimizerState
from keras_optimizers.reference import OPTIMIZERS

# How many elements a typical value is taken from.
_SAMPLE = 100000


def fit(state: OptimizerState, layout: Layout, report: Report) -> OptimizerState:
    """A state that `layout` can hold, as near to `state` as the era's mathematics allow.

    Raises:
        NotRepresentable: If the target cannot compute anything like it.
    """
    fitted = state.copy()
    for adapt in (
        _hyperparameters,
        _schedule,
        _later_options,
        _rmsprop,
        _epsilon,
        _iterations,
        _nadam,
        _clipping,
        _slots,
        _rows,
        _normalization,
        _doubts,
    ):
        adapt(fitted, layout, report)
    for note in state.notes:
        report.note(note)
    return fitted


def _hyperparameters(state: OptimizerState, layout: Layout, report: Report) -> None:
    era = state.era_defaults
    missing = {}
    for name, default in OPTIMIZERS[state.class_name].defaults.items():
        if name == "lr" and "learning_rate_schedule" in state.hyperparameters:
            continue  # reported as a schedule
        if name in state.hyperparameters:
            report.add(name, COPIED, _shown(state.hyperparameters[name]))
            continue
        value = state.hyperparameters[name] = era.get(name, default)
        whose = "its era's" if name in era else "r1.10's"
        report.add(
            name,
            DEFAULTED,
            f"{_shown(value)}, {whose} default: the source does not hold it. Give it with "
            f"--set {name}=VALUE",
        )
        if name not in era:
            missing[name] = value
    remedy = "If the source is from there: --set {argument}={value}."
    package = layouts.package_of(state.provenance.format)
    for sentence in changed_defaults.sentences(state.class_name, missing, remedy, package=package):
        report.note(sentence)


def _doubts(state: OptimizerState, layout: Layout, report: Report) -> None:
    """What the reader was not certain of, and what it left out."""
    for name, explanation in state.doubts.items():
        report.add(name, DEFAULTED, explanation)
    for name, explanation in state.left_out.items():
        report.add(name, LOST, explanation)


_ROWS = {
    "all": "decays the slots of all rows in every step, and sums a batch's gradients of a row",
    "touched": "leaves the slots of a row alone until a batch looks it up",
    "unsummed": "squares the gradient of each lookup by itself where a batch looks a row up twice "
    "(on TensorFlow; not on JAX)",
}


def _rows(state: OptimizerState, layout: Layout, report: Report) -> None:
    """Embeddings, whose rows eras treat differently."""
    if state.has_embeddings is False or not any(len(one.shape) == 2 for one in state.parameters):
        return
    arguments = (state.class_name, state.hyperparameters)
    before = layouts.treatment_of_rows(state.provenance.format, *arguments)
    after = layouts.treatment_of_rows(layout.name, *arguments)
    if before == after:
        return
    explanation = (
        f"{state.class_name} of {layout.name} {_ROWS[after]}; {state.provenance.format or 'ours'} "
        f"{_ROWS[before]}"
    )
    if state.has_embeddings is None:
        explanation = (
            "if the model has an Embedding, which the source does not tell (give the model with "
            f"--model FILE): {explanation}"
        )
    report.add("rows of embeddings", APPROXIMATE, explanation)


def _normalization(state: OptimizerState, layout: Layout, report: Report) -> None:
    """A BatchNormalization that is held fixed, which eras compute differently."""
    before = layouts.freezes_normalization(state.provenance.format)
    after = layout.freezes_normalization
    if not state.has_frozen_normalization or before == after:
        return
    explanation = (
        "the model holds a BatchNormalization fixed: in training it uses its moving averages from "
        "TensorFlow 2 on, and the batch's before"
    )
    if None in (before, after):
        report.note(f"BatchNormalization: {explanation}.")
    else:
        report.add("BatchNormalization", APPROXIMATE, explanation)


def _shown(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _schedule(state: OptimizerState, layout: Layout, report: Report) -> None:
    schedule = state.hyperparameters.get("learning_rate_schedule")
    if schedule is not None and not layout.schedules:
        raise NotRepresentable(
            f"The learning rate is a schedule, {schedule.get('class_name')}, and "
            f"{layout.name} has none but `decay`. Give a fixed rate with --set lr=VALUE."
        )
    if schedule is not None:
        report.add("lr", COPIED, f"the schedule {schedule.get('class_name')}")
    elif value_of(state, "decay") and layout.decay == "schedule":
        report.add("decay", RECOMPUTED, "as a learning-rate schedule, InverseTimeDecay")


def _later_options(state: OptimizerState, layout: Layout, report: Report) -> None:
    """Options of Keras 2.11 and later that change a step."""
    names = ("weight_decay", "use_ema", "loss_scale_factor", "gradient_accumulation_steps")
    for name in names:
        value = state.hyperparameters.get(name)
        if not mathematics.is_extended(name, value):
            continue
        if layout.weight_decay and name == "weight_decay":
            report.add(name, COPIED, _shown(value))
            continue
        del state.hyperparameters[name]
        if name in layout.unset_arguments:
            what = layout.ahead.get(name, "its state")
            explanation = f"{_shown(value)}: {what} are not carried over; set it in code"
            report.add(name, LOST, explanation.replace("its state are", "it is"))
        else:
            report.add(name, LOST, f"{layout.name} has no {name}; it was {_shown(value)}")


def _rmsprop(state: OptimizerState, layout: Layout, report: Report) -> None:
    if state.class_name != "RMSprop":
        return
    for option in mathematics.EXTENSION_ROLES:
        value = state.hyperparameters.get(option)
        if value and not layout.extended_rmsprop:
            raise NotRepresentable(
                f"The source's RMSprop has {option}={_shown(value)}, which {layout.name} does "
                "not compute."
            )
        if value:
            report.add(option, COPIED, _shown(value))


def _epsilon(state: OptimizerState, layout: Layout, report: Report) -> None:
    """On which side of the root epsilon is added."""
    inside = layouts.has_epsilon_inside(layout, state.class_name, state.hyperparameters)
    was_inside = bool(value_of(state, "epsilon_inside_root"))
    if inside == was_inside or "epsilon" not in OPTIMIZERS[state.class_name].defaults:
        return
    epsilon = float(value_of(state, "epsilon"))
    if epsilon == 0:
        state.hyperparameters["epsilon_inside_root"] = inside
        return
    if inside:
        # sqrt(a + e^2) lies between sqrt(a) and sqrt(a) + e, for every a.
        changed = max(epsilon**2, float(np.finfo(np.float32).tiny))
        explanation = f"sqrt(a) + {epsilon:.3g} becomes sqrt(a + {changed:.3g})"
    else:
        changed = _typical_difference(state, epsilon)
        explanation = (
            f"sqrt(a + {epsilon:.3g}) becomes sqrt(a) + {changed:.3g}, equal for the median a"
        )
    state.hyperparameters.update(epsilon=changed, epsilon_inside_root=inside)
    report.add("epsilon", APPROXIMATE, explanation + f": {layout.name} computes it so")


def _typical_difference(state: OptimizerState, epsilon: float) -> float:
    """Median of sqrt(a + epsilon) - sqrt(a) over the accumulators."""
    role = OPTIMIZERS[state.class_name].roles[0]
    differences: List[np.ndarray] = []
    for array in state.slots.get(role, {}).values():
        values = np.abs(array.read().astype(np.float64)).ravel()
        values = values[:: max(1, values.size // _SAMPLE)]
        differences.append(np.sqrt(values + epsilon) - np.sqrt(values))
    if not differences:
        return float(np.sqrt(epsilon))
    return float(np.median(np.concatenate(differences)))


def _iterations(state: OptimizerState, layout: Layout, report: Report) -> None:
    needed = mathematics.depends_on_iterations(state)
    if state.iterations is None:
        state.iterations = 0
        if needed:
            remedy = "give it with --iterations N"
            report.add("iterations", DEFAULTED, f"0: the source does not hold it; {remedy}")
        else:
            report.add("iterations", UNUSED, "the source does not hold it; nothing depends on it")
    elif state.class_name in layout.counted:
        report.add("iterations", COPIED, str(state.iterations))
    elif not value_of(state, "decay"):
        report.add(
            "iterations",
            UNUSED,
            f"{state.iterations}: {layout.name} has no place for it; nothing depends on it",
        )
    else:  # lr / (1 + decay * (n + k)) is lr' / (1 + decay' * k) with both divided by 1 + decay * n
        finished, state.iterations = state.iterations, 0
        state.steps_in_rates = finished
        divisor = 1.0 + float(value_of(state, "decay")) * finished
        for name in ("lr", "decay"):
            state.hyperparameters[name] = float(value_of(state, name)) / divisor
            report.add(
                name,
                RECOMPUTED,
                f"{_shown(state.hyperparameters[name])}: {layout.name} has no place for "
                f"iterations ({finished}); with these the rate goes on where it stopped",
            )
        report.add("iterations", RECOMPUTED, f"{finished}, inside lr and decay")


def _nadam(state: OptimizerState, layout: Layout, report: Report) -> None:
    """The schedule of momenta, and their product so far."""
    if state.class_name != "Nadam":
        return
    iterations = state.iterations or 0
    product = mathematics.momentum_product(state, iterations)
    known = state.scalars.get("m_schedule")
    if known is None:
        state.scalars["m_schedule"] = product
    if layout.momentum_product:
        if known is None:
            report.add("m_schedule", RECOMPUTED, f"{product:.9g}, from iterations")
        else:
            report.add("m_schedule", COPIED, f"{float(known):.9g}")
    else:
        report.add(
            "m_schedule",
            LOST,
            f"{layout.name} does not hold the product of the momenta, and starts it at 1 again "
            "(ours computes it from iterations)",
        )
    wanted, own = layout.schedule_decay, float(value_of(state, "schedule_decay"))
    if wanted is not None and own != wanted:
        state.hyperparameters["schedule_decay"] = wanted
        report.add(
            "schedule_decay",
            APPROXIMATE,
            f"{own:.3g} becomes {wanted:.3g}: {layout.name} warms the momentum up at a fixed pace",
        )


def _clipping(state: OptimizerState, layout: Layout, report: Report) -> None:
    for name in reference.CLIPPING:
        value = state.hyperparameters.get(name)
        if value is None:
            continue
        release = layout.later_clipping.get(name)
        if release is not None and state.provenance.format != layout.name:
            # Earlier ones refuse the argument, and with it the whole file.
            del state.hyperparameters[name]
            report.add(name, LOST, f"{_shown(value)}: only {release} know it; set it in code")
        elif name in layout.clipping:
            renamed = layout.clipping[name]
            if renamed == name:
                report.add(name, COPIED, _shown(value))
            else:
                report.add(name, RECOMPUTED, f"as {renamed}={_shown(value)}")
        elif len(state.parameters) == 1 and name != "clipvalue":
            other = "clipnorm" if name == "global_clipnorm" else "global_clipnorm"
            state.hyperparameters[other] = state.hyperparameters.pop(name)
            report.add(name, RECOMPUTED, f"as {layout.clipping[other]}: there is one parameter")
        else:
            del state.hyperparameters[name]
            what = {
                "clipnorm": "clips all gradients by their common norm, not each by its own",
                "global_clipnorm": "clips each gradient by its own norm, not all by their common",
                "clipvalue": "does not clip values",
            }[name]
            what = what if layout.clipping else "does not clip; do it in code"
            report.add(name, LOST, f"{_shown(value)}: {layout.name} {what}")


def _slots(state: OptimizerState, layout: Layout, report: Report) -> None:
    read = mathematics.roles_read(state)
    written = layouts.roles(layout, state.class_name, state.hyperparameters)
    for role in list(dict.fromkeys(list(state.slots) + written)):
        held = role in state.slots
        if held and role in written:
            report.add(role, COPIED, _count(state.slots[role]))
        elif held and role in read:
            report.add(role, LOST, f"{layout.name} has no such slot")
        elif held:
            report.add(role, UNUSED, "nothing reads it with these hyperparameters")
        elif role in read and state.iterations:
            report.add(role, DEFAULTED, "zeros: the source does not hold it")
        else:
            report.add(role, UNUSED, "zeros: the source does not hold it, and nothing reads it")
        if held and role not in written:
            del state.slots[role]


def _count(arrays: Dict[str, Array]) -> str:
    return f"{len(arrays)} arrays, {sum(array.size_in_bytes for array in arrays.values()):,} bytes"
