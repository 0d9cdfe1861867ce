"""What a recorded version does, read from its recording: formulas, clipping, state, defaults."""

import ast
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from keras_optimizers import numpy_rules
from keras_optimizers.conformance import references
from keras_optimizers.conformance.checks import COMPARED
from keras_optimizers.conformance.comparison import compare
from keras_optimizers.conformance.context import Context
from keras_optimizers.conformance.levels import Level
from keras_optimizers.conformance.recorder import cases
from keras_optimizers.conformance.recorder.storage import RecordingError
from keras_optimizers.conformance.results import name_of
from keras_optimizers.conformance.subject import RecordedSubject

# Beyond this two versions compute something else; below it they round otherwise.
ROUNDING = Level("tolerance", 1e-4)


def _rule(recording: Any, case_name: str, clip: str = "") -> Optional[float]:
    """How far the recorded parameters are from the NumPy rules; None if that cannot be said.

    The rules get the version's own defaults, which its config says.
    """
    case = cases.CASES[case_name]
    if recording.refusal(case_name):
        return None
    trace = recording.trace(case_name)
    arguments = _rule_arguments(case, trace.config or {}, clip)
    fed = [references.fed_gradients(case, values) for values in cases.fed_values(case)]
    with np.errstate(all="ignore"):
        rows = list(numpy_rules.run(case.class_name, cases.initial_values(case), fed, **arguments))
    worst = 0.0
    for index in range(len(cases.shapes(case))):
        expected = np.stack([parameters[index] for parameters, _ in rows]).astype(np.float64)
        got = trace.arrays[f"parameter {index}"].astype(np.float64)
        bad = ROUNDING.violations(got, expected)
        if bad.any():
            worst = max(worst, float(np.nanmax(np.where(bad, np.abs(got - expected), 0))))
    return worst


def _rule_arguments(case: cases.Case, config: Dict[str, Any], clip: str) -> Dict[str, Any]:
    names = numpy_rules_arguments(case.class_name)
    own = dict(config, lr=config.get("lr", config.get("learning_rate")))
    arguments = {name: own[name] for name in names if own.get(name) is not None}
    for name in ("clipnorm", "clipvalue"):
        if name in case.arguments:
            arguments[clip if clip and name == "clipnorm" else name] = case.arguments[name]
    return arguments


def numpy_rules_arguments(class_name: str) -> List[str]:
    """The hyperparameters of a rule."""
    code = numpy_rules.RULES[class_name].__code__
    return list(code.co_varnames[4 : code.co_argcount])


def formula(class_name: str) -> Callable[[Any], str]:
    """Whether a class computes what r1.10's does, as a function of a recording."""

    def cell(recording: Any) -> str:
        case = {"SGD": "sgd_nesterov"}.get(class_name, class_name.lower())
        apart = _rule(recording, case)
        if apart is None:
            return "fails"
        return "r1.10's" if not apart else f"another ({apart:.0e})"

    return cell


def bound_of_clipnorm(recording: Any) -> str:
    """What `clipnorm` bounds."""
    fits = [
        words
        for clip, words in (("clipnorm", "each gradient"), ("global_clipnorm", "all together"))
        if _rule(recording, "sgd_clipnorm", clip) == 0.0
    ]
    return " or ".join(fits) or "something else"


def lookups(recording: Any) -> str:
    """Which classes treat the gradient of a lookup otherwise than a dense one, with the size."""
    differ = []
    for name in ("sgd_momentum", "rmsprop", "adadelta", "adam", "adamax", "nadam"):
        apart = _rule(recording, "lookups_" + name)
        if apart:
            differ.append(f"{name} {apart:.0e}")
    if not differ:
        return "as with a dense gradient"
    return "otherwise: " + ", ".join(differ)


def clipped_lookups(recording: Any) -> str:
    """What `clipvalue` bounds where a row is looked up more than once."""
    apart = _rule(recording, "lookups_sgd_clipvalue")
    return "after the sum of repeated rows" if apart == 0 else "each looked-up row by itself"


def amsgrad(recording: Any) -> str:
    """Whether AMSGrad is there, and is r1.10's."""
    if recording.refusal("adam_amsgrad"):
        return "unknown"
    apart = _rule(recording, "adam_amsgrad")
    return "yes" if not apart else f"another ({apart:.0e})"


def default_epsilon(recording: Any) -> str:
    """The epsilon of a class that was told none."""
    values = {
        str((recording.trace(name).config or {}).get("epsilon"))
        for name in ("rmsprop", "adagrad", "adam")
        if not recording.refusal(name)
    }
    return ", ".join(sorted(values))


def nan_after_extremes(recording: Any) -> str:
    """What becomes of the parameter after a NaN gradient, under RMSprop."""
    if recording.refusal("extreme_rmsprop"):
        return "fails"
    final = recording.trace("extreme_rmsprop").arrays["parameter 0"][-1]
    poisoned = int(np.sum(np.isnan(final)))
    return f"{poisoned} of {final.size} elements"


def dtype_of_iterations(recording: Any) -> str:
    """The dtype of `iterations` among the weights."""
    trace = recording.trace("sgd_momentum")
    if "iterations" not in trace.arrays:
        return "not among the weights"
    return trace.arrays["iterations"].dtype.name


def without_iterations(recording: Any) -> str:
    """The classes whose weights lack `iterations`."""
    classes = [
        case.class_name
        for name, case in ((c.lower(), cases.CASES[c.lower()]) for c in cases.CLASS_NAMES)
        if not recording.refusal(name) and "iterations" not in recording.trace(name).weights
    ]
    return ", ".join(classes) or "none"


def nadam_schedule(recording: Any) -> str:
    """Whether Nadam's weights hold the product of its momenta."""
    if recording.refusal("nadam"):
        return "fails"
    return "yes" if "m_schedule" in recording.trace("nadam").weights else "no"


def third_group_of_adam(recording: Any) -> str:
    """The shapes of what Adam holds for AMSGrad where it is off."""
    trace = recording.trace("adam")
    names = [name for name in trace.weights if name.startswith("largest")]
    if not names:
        return "none"
    shapes = {trace.arrays[name].shape[1:] for name in names}
    return ", ".join(str(shape) for shape in sorted(shapes))


def velocity_of_plain_sgd(recording: Any) -> str:
    """Whether SGD without momentum holds a velocity."""
    return "yes" if any(n.startswith("velocity") for n in recording.trace("sgd").weights) else "no"


def lost_in_a_resume(recording: Any) -> str:
    """Which optimizers go on otherwise after `set_weights(get_weights())`."""
    found = []
    for name, case in cases.CASES.items():
        if case.problem != "resume" or recording.refusal(name):
            continue
        plain = formula(case.class_name)(recording)
        apart = _rule(recording, name)
        if plain == "r1.10's" and apart:
            found.append(f"{name[len('resume_') :]} {apart:.0e}")
    return ", ".join(found) or "none"


def defaults_of(signature: str) -> str:
    """The arguments and defaults of an `inspect.signature` text, without `self`."""
    try:
        tree = ast.parse(f"def f{signature}: pass").body[0]
    except SyntaxError:
        return signature
    arguments = tree.args  # type: ignore[attr-defined]
    names = [argument.arg for argument in arguments.args]
    values = [ast.literal_eval(default) for default in arguments.defaults]
    first = len(names) - len(values)
    texts = [
        name if index < first else f"{name}={values[index - first]!r}"
        for index, name in enumerate(names)
    ]
    return ", ".join(text for text in texts if text not in ("self", "name"))


def differences(older: Any, newer: Any) -> Tuple[List[str], List[Tuple[str, float]], List[str]]:
    """Cases that are rounded otherwise, those that differ beyond that, and refused ones."""
    rounding, beyond, refused = [], [], []  # type: Any, Any, Any
    for name in cases.CASES:
        if older.refusal(name) or newer.refusal(name):
            if bool(older.refusal(name)) != bool(newer.refusal(name)):
                refused.append(name)
            continue
        try:
            one, other = newer.trace(name), older.trace(name)
        except RecordingError:
            continue
        parameters = _parameters_alone(one), _parameters_alone(other)
        if compare(*parameters, level="bits").conforms:
            continue
        found = compare(*parameters, level=ROUNDING)
        if found.conforms:
            rounding.append(name)
        else:
            beyond.append((name, max(found.absolute)))
    return rounding, beyond, refused


def _parameters_alone(trace: Any) -> Any:
    arrays = {name: a for name, a in trace.arrays.items() if name.startswith("parameter")}
    return trace._replace(arrays=arrays, weights=[])


def differences_of_ours(name: str) -> Dict[Tuple[str, str], List[str]]:
    """The cases in which TensorFlow 1.15's old classes differ from a version, as `run` says it.

    Returns:
        Names of cases, or of bad inputs with their class, by status and check.
    """
    found: Dict[Tuple[str, str], List[str]] = {}
    ours = references.load_reference(references.OURS)
    for class_name in cases.CLASS_NAMES:
        context = Context(RecordedSubject(ours, class_name), name)
        for check, compared in COMPARED.items():
            for result in compared(context, check):
                if result.status not in ("equal", "skipped"):
                    found.setdefault((result.status, check), []).append(name_of(result))
    return found
