"""The page about what changed between the versions, every cell derived from the recordings."""

import ast
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

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
# Versions and their successors. OptimizerV2 took the old classes' place in TensorFlow 1.14.
NEIGHBOURS = [
    ("keras-2.0.9", "keras-2.1.6"),
    ("keras-2.1.6", "keras-2.2.4"),
    ("keras-2.2.4", "keras-2.3.1"),
    ("tf-1.4", "tf-1.8"),
    ("tf-1.8", "tf-1.10"),
    ("tf-1.10", "tf-1.12"),
    ("tf-1.12", "tf-1.13"),
    ("tf-1.13", "tf-1.14"),
    ("tf-1.14", "tf-1.15"),
    ("tf-1.15", "tf-2.15-v1"),
    ("tf-2.15-v1", "tf-keras-2.21-v1"),
    ("tf-1.13", "tf-1.14-v2"),
    ("tf-1.14-v2", "tf-1.15-v2"),
    ("tf-1.15-v2", "tf-2.15-legacy"),
    ("keras-2.2.4", "tf-1.10"),
    ("keras-2.3.1", "tf-1.15"),
]
_HEAD = """\
# What changed between the versions

Every cell of this page comes from the recordings that the package ships: the real packages, run
on the same numbers. `keras-optimizers conformance --history docs/behaviour.md` writes it again.
"Formula" compares with the rules of `keras_optimizers.numpy_rules` (r1.10's), given the version's
own defaults; a difference below 1e-4 of the numbers counts as rounding. The recordings are made in
the order of reads and writes that is meant: what the races of the originals add comes on top.
"""


def page() -> str:
    """The page, in Markdown."""
    names = [name for name in references.names() if name != references.NUMPY]
    found = {name: references.load_reference(name) for name in names}
    parts = [_HEAD, "## The recorded versions\n", _versions(found)]
    for title, words, columns in _TABLES:
        rows = [[name] + [column(found[name]) for _, column in columns] for name in names]
        parts += [f"## {title}\n", words, _table(["version"] + [c for c, _ in columns], rows)]
    parts += ["## Arguments and defaults\n", _DEFAULTS, _defaults(found)]
    parts += ["## From one version to the next\n", _STEPS, _steps(found)]
    parts += ["## This package and each version\n", _OURS, _ours(references.names()), _WHY]
    return "\n".join(parts)


_OURS = (
    "This package behaves as the old classes of TensorFlow 1.15. What it does otherwise than "
    "another version is below,\ncase by case: `keras-optimizers conformance --reference VERSION` "
    "names the same as documented (`doc.`) and, where\nfloat32 square roots are not the "
    "recording's, as explained (`expl.`). On a processor with other square roots than the\n"
    "recordings' more is explained. Versions that are not in the table are equal to the bit in "
    "every case; `numpy` is\ncompared within 1e-5.\n"
)
_WHY = """\
What differs from `tf-1.10`, `tf-1.12` and `tf-1.13`, and why:

- `lookups_sgd_clipvalue`: up to 1.13 the old classes make the gradient of a lookup dense before
  they clip it, so `clipnorm` and `clipvalue` bound the sum of the gradients of a row that a batch
  looks up more than once. From 1.14 on they bound the gradient of each lookup, and so do the old
  classes in TensorFlow 2. One class cannot equal both; ours equals 1.15's, and the gradient stays
  sparse. Results differ only where a batch looks a row up more than once and the bound takes
  effect. The class below equals 1.10's to the bit.
- `resume_nadam` and `weights_layout` of Nadam: up to 1.13 its `weights` lack `m_schedule`, so a
  resumed run begins that product at 1 again. Ours have it, as 1.15's, and a resumed run equals an
  uninterrupted one. `set_weights` takes the older list, too, and computes the product from the
  steps.

```python
import tensorflow as tf

import keras_optimizers


class SumsBeforeClipping(keras_optimizers.SGD):
    \"\"\"With `clipvalue`, clips a lookup's gradient as TensorFlow up to 1.13 did.\"\"\"

    def get_gradients(self, loss, params):
        gradients = [tf.convert_to_tensor(one) for one in tf.gradients(loss, params)]
        return [tf.clip_by_value(one, -self.clipvalue, self.clipvalue) for one in gradients]
```
"""
_DEFAULTS = "Arguments in their order, with defaults, and the versions that have them.\n"
_STEPS = (
    f"How many of the {len(cases.CASES)} cases give other parameters. Rounding is below 1e-4; what "
    "is beyond is named,\nwith the largest difference of a parameter.\n"
)


def _versions(found: Dict[str, Any]) -> str:
    rows = []
    for name, recording in found.items():
        facts = recording.facts
        versions = ", ".join(f"{k} {v}" for k, v in sorted(facts["versions"].items()))
        processor = facts["processor"]["maker"]
        rows.append([name, facts["title"], versions, processor, facts["recorded"]])
    return _table(["name", "what", "versions", "processor", "recorded"], rows)


# What a cell says about one version.


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


def _formula(class_name: str) -> Callable[[Any], str]:
    def cell(recording: Any) -> str:
        case = {"SGD": "sgd_nesterov"}.get(class_name, class_name.lower())
        apart = _rule(recording, case)
        if apart is None:
            return "fails"
        return "r1.10's" if not apart else f"another ({apart:.0e})"

    return cell


def _clipnorm(recording: Any) -> str:
    fits = [
        words
        for clip, words in (("clipnorm", "each gradient"), ("global_clipnorm", "all together"))
        if _rule(recording, "sgd_clipnorm", clip) == 0.0
    ]
    return " or ".join(fits) or "something else"


def _lookups(recording: Any) -> str:
    differ = []
    for name in ("sgd_momentum", "rmsprop", "adadelta", "adam", "adamax", "nadam"):
        apart = _rule(recording, "lookups_" + name)
        if apart:
            differ.append(f"{name} {apart:.0e}")
    if not differ:
        return "as with a dense gradient"
    return "otherwise: " + ", ".join(differ)


def _clipped_lookups(recording: Any) -> str:
    apart = _rule(recording, "lookups_sgd_clipvalue")
    return "after the sum of repeated rows" if apart == 0 else "each looked-up row by itself"


def _amsgrad(recording: Any) -> str:
    if recording.refusal("adam_amsgrad"):
        return "unknown"
    apart = _rule(recording, "adam_amsgrad")
    return "yes" if not apart else f"another ({apart:.0e})"


def _epsilon(recording: Any) -> str:
    values = {
        str((recording.trace(name).config or {}).get("epsilon"))
        for name in ("rmsprop", "adagrad", "adam")
        if not recording.refusal(name)
    }
    return ", ".join(sorted(values))


def _nan(recording: Any) -> str:
    """What becomes of the parameter after a NaN gradient, under RMSprop."""
    if recording.refusal("extreme_rmsprop"):
        return "fails"
    final = recording.trace("extreme_rmsprop").arrays["parameter 0"][-1]
    poisoned = int(np.sum(np.isnan(final)))
    return f"{poisoned} of {final.size} elements"


def _iterations_dtype(recording: Any) -> str:
    trace = recording.trace("sgd_momentum")
    if "iterations" not in trace.arrays:
        return "not among the weights"
    return trace.arrays["iterations"].dtype.name


def _without_iterations(recording: Any) -> str:
    classes = [
        case.class_name
        for name, case in ((c.lower(), cases.CASES[c.lower()]) for c in cases.CLASS_NAMES)
        if not recording.refusal(name) and "iterations" not in recording.trace(name).weights
    ]
    return ", ".join(classes) or "none"


def _nadam_schedule(recording: Any) -> str:
    if recording.refusal("nadam"):
        return "fails"
    return "yes" if "m_schedule" in recording.trace("nadam").weights else "no"


def _adam_groups(recording: Any) -> str:
    trace = recording.trace("adam")
    names = [name for name in trace.weights if name.startswith("largest")]
    if not names:
        return "none"
    shapes = {trace.arrays[name].shape[1:] for name in names}
    return ", ".join(str(shape) for shape in sorted(shapes))


def _sgd_velocity(recording: Any) -> str:
    return "yes" if any(n.startswith("velocity") for n in recording.trace("sgd").weights) else "no"


def _lost(recording: Any) -> str:
    """Which optimizers go on otherwise after `set_weights(get_weights())`."""
    found = []
    for name, case in cases.CASES.items():
        if case.problem != "resume" or recording.refusal(name):
            continue
        plain = _formula(case.class_name)(recording)
        apart = _rule(recording, name)
        if plain == "r1.10's" and apart:
            found.append(f"{name[len('resume_') :]} {apart:.0e}")
    return ", ".join(found) or "none"


_TABLES = [
    (
        "Formulas",
        "Whether a class computes what r1.10's does, and by how much a parameter is off in 30 "
        "steps.\n",
        [(name, _formula(name)) for name in cases.CLASS_NAMES] + [("AMSGrad", _amsgrad)],
    ),
    (
        "Gradients",
        "What `clipnorm` bounds; what a lookup does; which epsilon a class has unless it is told; "
        "how many elements RMSprop\nleaves NaN when gradients are extreme (0, denormal, 1e30, "
        "infinity, NaN).\n",
        [
            ("`clipnorm` bounds", _clipnorm),
            ("lookups", _lookups),
            ("`clipvalue` of lookups", _clipped_lookups),
            ("default epsilon", _epsilon),
            ("NaN after extremes", _nan),
        ],
    ),
    (
        "State",
        "What `get_weights` holds, and which optimizers do not go on as before after "
        "`set_weights(get_weights())`, with the size.\n",
        [
            ("`iterations`", _iterations_dtype),
            ("without `iterations`", _without_iterations),
            ("Nadam's `m_schedule`", _nadam_schedule),
            ("Adam's third group, without AMSGrad", _adam_groups),
            ("velocity of plain SGD", _sgd_velocity),
            ("lost in a resume", _lost),
        ],
    ),
]  # type: List[Tuple[str, str, List[Tuple[str, Callable[[Any], str]]]]]


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


def _defaults(found: Dict[str, Any]) -> str:
    rows = []
    for class_name in cases.CLASS_NAMES:
        groups: Dict[str, List[str]] = {}
        for name, recording in found.items():
            signature = recording.facts["signatures"].get(class_name, "")
            text = defaults_of(signature)
            text = text.split(", name=")[0]
            groups.setdefault(text, []).append(name)
        rows += [[class_name, f"`{text}`", ", ".join(names)] for text, names in groups.items()]
    return _table(["class", "arguments", "versions"], rows)


def _steps(found: Dict[str, Any]) -> str:
    rows = []
    for older, newer in NEIGHBOURS:
        if older in found and newer in found:
            rounding, beyond, refused = differences(found[older], found[newer])
            finite = [f"{name} {size:.0e}" for name, size in beyond if np.isfinite(size)]
            other = [name for name, size in beyond if not np.isfinite(size)]
            words = ", ".join(finite) or ("" if other else "none")
            if other:
                words += ("; " if words else "") + "NaN in other elements: " + ", ".join(other)
            if refused:
                words += "; refused by one of the two: " + ", ".join(refused)
            rows.append([f"{older} → {newer}", str(len(rounding)), str(len(beyond)), words])
    return _table(["versions", "rounding", "beyond", "which, and by how much"], rows)


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


def _ours(names: Sequence[str]) -> str:
    rows = []
    for name in names:
        found = differences_of_ours(name)
        for check in COMPARED:
            cells = [", ".join(found.get((status, check), [])) for status in _KINDS]
            if any(cells):
                rows.append([name, check] + [cell or "none" for cell in cells])
    return _table(["version", "check", *_KINDS], rows)


_KINDS = ("documented", "explained")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "| " + " | ".join("---" for _ in header) + " |"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


__all__ = ["differences", "page"]
