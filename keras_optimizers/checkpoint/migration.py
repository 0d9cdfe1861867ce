"""From one era's file to another's: read, fit, write, read again, compare."""

import json
import os
from typing import Any, Dict, List, NamedTuple, Optional

from keras_optimizers.checkpoint import mathematics, verification
from keras_optimizers.checkpoint.eras import configs
from keras_optimizers.checkpoint.errors import CheckpointError, NotRepresentable
from keras_optimizers.checkpoint.fitting import fit
from keras_optimizers.checkpoint.formats import registry
from keras_optimizers.checkpoint.report import Report
from keras_optimizers.checkpoint.state import OptimizerState
from keras_optimizers.checkpoint.storage.atomic_files import back_up

# The error of an approximation is measured on so many elements of each parameter.
_SAMPLE = 65536


class Outcome(NamedTuple):
    """What a migration did.

    Attributes:
        report: what became of every field.
        state: what was (or would be) written.
        comparison: the next step of the source beside that of what was written.
        written: whether the target's file is there now.
        backup: the second name of the old file, of a migration in place.
    """

    report: Report
    state: OptimizerState
    comparison: Optional[verification.Comparison]
    written: bool
    backup: Optional[str] = None


def typed(name: str, value: Any) -> Any:
    """A hyperparameter's value as a float, or a bool where it is a flag.

    Raises:
        CheckpointError: If it is neither.
    """
    if not isinstance(value, (bool, int, float)):
        raise CheckpointError(f"Expected a number for {name}, received {value!r}.")
    return bool(value) if name in configs.FLAGS else float(value)


def override(
    state: OptimizerState, iterations: Optional[int] = None, values: Optional[Dict[str, Any]] = None
) -> None:
    """Put in what a user knows and the file does not say.

    Raises:
        CheckpointError: If there is no such hyperparameter, or a value is not of its kind.
    """
    if iterations is not None:
        if iterations < 0:
            raise CheckpointError(f"Expected --iterations of at least 0, received {iterations}.")
        if state.iterations not in (None, iterations):
            state.notes.append(
                f"iterations: {iterations} as given; the source says {state.iterations}."
            )
        state.iterations = iterations
    known: Dict[str, Any] = dict(
        mathematics.EXTENSIONS, **mathematics.OPTIMIZERS[state.class_name].defaults
    )
    known.update(dict.fromkeys(mathematics.CLIPPING))
    for name, value in (values or {}).items():
        name = "lr" if name == "learning_rate" else name
        if name not in known:
            raise CheckpointError(
                f"{state.class_name} has no hyperparameter {name!r}; there are: "
                f"{', '.join(sorted(known))}."
            )
        if name == "lr":
            state.hyperparameters.pop("learning_rate_schedule", None)
        state.hyperparameters[name] = typed(name, value)


def migrate(
    source: str,
    target: str,
    to: str,
    iterations: Optional[int] = None,
    values: Optional[Dict[str, Any]] = None,
    strict: bool = False,
    dry_run: bool = False,
    in_place: bool = False,
    overwrite: bool = False,
    progress: Any = None,
    model: Optional[str] = None,
    read_options: Optional[Dict[str, Any]] = None,
    write_options: Optional[Dict[str, Any]] = None,
) -> Outcome:
    """Convert the checkpoint `source` to the format `to`, at `target`.

    Arguments:
        iterations: finished steps, where the file does not hold them.
        values: hyperparameters that take the place of the file's.
        strict: write nothing where training would not go on as it would have.
        dry_run: write nothing at all.
        in_place: `target` is `source`; the old file stays as a backup.
        overwrite: `target` may exist.
        progress: called with (bytes done, bytes in all).
        model: a file that holds the model, where the source holds none; the target gets it with
            the source's values.
        read_options, write_options: for the formats that need more than a path.

    Raises:
        CheckpointError: If that is impossible. Nothing has changed then.
    """
    _check_places(source, target, in_place, overwrite)
    values = {name: typed(name, value) for name, value in (values or {}).items()}
    state = registry.read(source, values=values, **(read_options or {}))
    override(state, iterations, values)
    spoke = registry.target(to)
    report = Report()
    fitted = fit(state, spoke.layout, report)
    spoke.check(fitted, report)
    fitted.provenance = dict(fitted.provenance, notes=[])
    comparison = None
    if report.inexact:
        comparison = verification.compare(state, fitted, sample=_SAMPLE)
        report.note(
            "With seeded gradients the next step of a parameter differs by up to "
            f"{comparison.largest:.3g}."
        )
    if dry_run or (strict and report.inexact):
        return Outcome(report, fitted, comparison, False)
    backup = back_up(source) if in_place else None
    spoke.write(
        fitted,
        target,
        spoke.layout,
        model or source,
        report=report,
        progress=progress,
        **(write_options or {}),
    )
    return Outcome(report, fitted, comparison, True, backup)


def _check_places(source: str, target: str, in_place: bool, overwrite: bool) -> None:
    same = os.path.exists(target) and os.path.exists(source) and os.path.samefile(source, target)
    if in_place and not same:
        raise CheckpointError("With --in-place the target is the source: give one path.")
    if same and not in_place:
        raise CheckpointError(
            f"The target {target!r} is the source. Use another path, or --in-place, which keeps a "
            "backup."
        )
    if not same and not overwrite and (os.path.exists(target) or os.path.exists(target + ".index")):
        raise CheckpointError(f"{target!r} exists. Use another path, or --overwrite.")


def parse_values(texts: List[str]) -> Dict[str, Any]:
    """NAME=VALUE as the command line has it.

    Raises:
        CheckpointError: If one is not of that form.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            found[name.strip()] = json.loads(value.strip().lower())
        except ValueError as error:
            raise CheckpointError(
                f"Expected --set NAME=VALUE with a number, true or false, received {text!r}."
            ) from error
        if not equals:
            raise CheckpointError(f"Expected --set NAME=VALUE, received {text!r}.")
    return found


def refuse_in_strict(outcome: Outcome) -> Optional[NotRepresentable]:
    """Why a strict migration wrote nothing; None where it had no reason."""
    if not outcome.report.inexact:
        return None
    fields = ", ".join(f"{entry.field} ({entry.status})" for entry in outcome.report.inexact)
    return NotRepresentable(f"Refused, as --strict asks: {fields}.")
