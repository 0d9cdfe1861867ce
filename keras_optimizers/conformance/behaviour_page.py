"""The page docs/behaviour.md: what changed between the versions, every cell from the recordings."""

from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from keras_optimizers.conformance import behaviour, references
from keras_optimizers.conformance.checks import COMPARED
from keras_optimizers.conformance.recorder import cases

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


_TABLES: List[Tuple[str, str, List[Tuple[str, Callable[[Any], str]]]]] = [
    (
        "Formulas",
        "Whether a class computes what r1.10's does, and by how much a parameter is off in 30 "
        "steps.\n",
        [(name, behaviour.formula(name)) for name in cases.CLASS_NAMES]
        + [("AMSGrad", behaviour.amsgrad)],
    ),
    (
        "Gradients",
        "What `clipnorm` bounds; what a lookup does; which epsilon a class has unless it is told; "
        "how many elements RMSprop\nleaves NaN when gradients are extreme (0, denormal, 1e30, "
        "infinity, NaN).\n",
        [
            ("`clipnorm` bounds", behaviour.bound_of_clipnorm),
            ("lookups", behaviour.lookups),
            ("`clipvalue` of lookups", behaviour.clipped_lookups),
            ("default epsilon", behaviour.default_epsilon),
            ("NaN after extremes", behaviour.nan_after_extremes),
        ],
    ),
    (
        "State",
        "What `get_weights` holds, and which optimizers do not go on as before after "
        "`set_weights(get_weights())`, with the size.\n",
        [
            ("`iterations`", behaviour.dtype_of_iterations),
            ("without `iterations`", behaviour.without_iterations),
            ("Nadam's `m_schedule`", behaviour.nadam_schedule),
            ("Adam's third group, without AMSGrad", behaviour.third_group_of_adam),
            ("velocity of plain SGD", behaviour.velocity_of_plain_sgd),
            ("lost in a resume", behaviour.lost_in_a_resume),
        ],
    ),
]


def _defaults(found: Dict[str, Any]) -> str:
    rows = []
    for class_name in cases.CLASS_NAMES:
        groups: Dict[str, List[str]] = {}
        for name, recording in found.items():
            signature = recording.facts["signatures"].get(class_name, "")
            text = behaviour.defaults_of(signature)
            text = text.split(", name=")[0]
            groups.setdefault(text, []).append(name)
        rows += [[class_name, f"`{text}`", ", ".join(names)] for text, names in groups.items()]
    return _table(["class", "arguments", "versions"], rows)


def _steps(found: Dict[str, Any]) -> str:
    rows = []
    for older, newer in NEIGHBOURS:
        if older in found and newer in found:
            rounding, beyond, refused = behaviour.differences(found[older], found[newer])
            finite = [f"{name} {size:.0e}" for name, size in beyond if np.isfinite(size)]
            other = [name for name, size in beyond if not np.isfinite(size)]
            words = ", ".join(finite) or ("" if other else "none")
            if other:
                words += ("; " if words else "") + "NaN in other elements: " + ", ".join(other)
            if refused:
                words += "; refused by one of the two: " + ", ".join(refused)
            rows.append([f"{older} → {newer}", str(len(rounding)), str(len(beyond)), words])
    return _table(["versions", "rounding", "beyond", "which, and by how much"], rows)


def _ours(names: Sequence[str]) -> str:
    rows = []
    for name in names:
        found = behaviour.differences_of_ours(name)
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
