"""From one era's file to another's: read, fit, write, read again, compare.

A written file takes its place only after it was read again and found to hold what was meant.
"""

import json
import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from keras_optimizers import reference
from keras_optimizers.checkpoint import mathematics, verification
from keras_optimizers.checkpoint.eras import configs
from keras_optimizers.checkpoint.errors import CheckpointError, NotRepresentable
from keras_optimizers.checkpoint.fitting import fit
from keras_optimizers.checkpoint.formats import registry, saved_model
from keras_optimizers.checkpoint.formats.format import Format, WriteRequest
from keras_optimizers.checkpoint.report import Report
from keras_optimizers.checkpoint.state import OptimizerState
from keras_optimizers.checkpoint.storage.atomic_files import back_up

# The error of an approximation is measured on so many elements of each parameter.
_SAMPLE = 65536


class NotWanted(Exception):
    """The file was written only for what the report says; it has been removed."""


class Outcome(NamedTuple):
    """What a migration did.

    Attributes:
        report: what became of every field.
        state: what was (or would be) written.
        comparison: the next step of the source beside that of what was written.
        written: whether the target's file is there now.
        backup: the second name of the old file, of a migration in place.
        target: the path that was asked for.
        format: the target's format.
    """

    report: Report
    state: OptimizerState
    comparison: Optional[verification.Comparison]
    written: bool
    backup: Optional[str] = None
    target: str = ""
    format: Optional[Format] = None


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
        mathematics.EXTENSIONS, **reference.OPTIMIZERS[state.class_name].defaults
    )
    known.update(dict.fromkeys(reference.CLIPPING))
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
        for doubted in list(state.doubts):
            if name == doubted or {name, doubted} == {"clipnorm", "global_clipnorm"}:
                del state.doubts[doubted]
                if name != doubted:
                    state.hyperparameters.pop(doubted, None)


class Prepared(NamedTuple):
    """A state that fits a format, and what became of every field on the way.

    Attributes:
        format: the target.
        state: what will be written.
        report: what became of every field.
    """

    format: Format
    state: OptimizerState
    report: Report


def prepare(state: OptimizerState, format: Format) -> Prepared:
    """Make a state fit a format.

    Raises:
        NotRepresentable: If the format has no place or no mathematics for it.
    """
    report = Report()
    fitted = format.adapt(fit(state, format.layout, report), report)
    fitted.notes = []
    return Prepared(format, fitted, report)


def write_prepared(
    prepared: Prepared,
    path: str,
    source: Optional[str] = None,
    progress: Optional[Callable[[int, int], None]] = None,
    options: Optional[Dict[str, Any]] = None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Write what was prepared, read the file again, and only then give it its name.

    Arguments:
        source: a file whose model is carried over; None for none.
        progress: called with (bytes done, bytes in all), for writing and for reading.
        options: what only this format takes.
        is_wanted: asked when the file is written, and the report complete, but has no name yet.

    Raises:
        CheckpointError: If the file cannot be written, or holds something else than was meant.
            Nothing has changed then.
        NotWanted: If `is_wanted` says so. Nothing has changed then.
    """

    def confirm(written: str) -> None:
        _confirm(prepared, written, path, progress)
        if not is_wanted():
            raise NotWanted

    prepared.format.write(
        WriteRequest(
            prepared.state,
            path,
            prepared.format.layout,
            prepared.report,
            source,
            progress,
            confirm,
            options or {},
        )
    )


def _confirm(
    prepared: Prepared,
    written: str,
    path: str,
    progress: Optional[Callable[[int, int], None]],
) -> None:
    meant = prepared.state
    # What no file of this kind holds is given, so that only what it holds is compared.
    found = registry.read(
        written,
        meant.class_name,
        values=dict(meant.hyperparameters),
        optimizer=meant.provenance.optimizer or None,
    )
    counts = meant.class_name in prepared.format.layout.counted
    try:
        problems = prepared.format.differences(meant, found, counts, progress=progress)
    finally:
        if found.opened_file is not None:
            found.opened_file.close()
    if problems:
        raise CheckpointError(
            f"Cannot write {path!r}: read again, the new file differs from what was meant "
            f"({'; '.join(problems)}). It was removed. Is the disk full? If it "
            "is not, please report this."
        )


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
        dry_run: leave nothing written. The file is made beside `target` and removed, because only
            then is known what becomes of the model.
        in_place: `target` is `source`; the old file stays as a backup.
        overwrite: `target` may exist.
        progress: called with (bytes done, bytes in all).
        model: a file that holds the model, where the source holds none; the target gets it with
            the source's values.
        read_options, write_options: for the formats that need more than a path.

    Raises:
        CheckpointError: If that is impossible. Nothing has changed then.

    Examples:
        >>> import numpy as np
        >>> from keras_optimizers.checkpoint import OptimizerState, Parameter, migrate, write
        >>> parameters = [Parameter("dense/kernel", (2,), "float32")]
        >>> slots = {"velocity": {"dense/kernel": np.float32([0.5, 0.25])}}
        >>> options = {"lr": 0.1, "momentum": 0.9, "decay": 0.0, "nesterov": False}
        >>> state = OptimizerState("SGD", options, 100, parameters, slots)
        >>> report = write(state, "old.h5", "keras-2.3")
        >>> outcome = migrate("old.h5", "new.h5", to="optimizer-v2")
        >>> outcome.written, outcome.report.inexact
        (True, [])
    """
    format = registry.format_named(to)
    _check_places(source, target, in_place, overwrite)
    format.check_ending(target)
    format.check_options(write_options or {})
    values = {name: typed(name, value) for name, value in (values or {}).items()}
    state = registry.read(source, values=values, **(read_options or {}))
    override(state, iterations, values)
    prepared = prepare(state, format)
    fitted, report = prepared.state, prepared.report
    comparison = None
    if report.inexact:
        comparison = verification.compare(state, fitted, sample=_SAMPLE)
        report.note(
            "With seeded gradients the next step of a parameter differs by up to "
            f"{comparison.largest:.3g}."
        )
    not_written = Outcome(report, fitted, comparison, False, None, target, format)
    if strict and report.inexact:
        return not_written

    def is_wanted() -> bool:
        """Now the report also says what becomes of the model."""
        return not dry_run and not (strict and report.inexact)

    before = os.stat(source) if in_place else None
    backup = back_up(source) if in_place and not dry_run else None
    try:
        with saved_model.as_file(model or source) as model_file:
            write_prepared(prepared, target, model_file, progress, write_options, is_wanted)
    except BaseException as error:
        # Never a file that has no other name: if it was replaced already, this is the old one.
        if backup is not None and before and os.path.samestat(before, os.stat(source)):
            os.remove(backup)
        if isinstance(error, NotWanted):
            return not_written
        raise
    return Outcome(report, fitted, comparison, True, backup, target, format)


def _check_places(source: str, target: str, in_place: bool, overwrite: bool) -> None:
    same = os.path.exists(target) and os.path.exists(source) and os.path.samefile(source, target)
    if in_place and not same:
        raise CheckpointError("With --in-place the target is the source: give one path.")
    if in_place and os.path.isdir(source):
        raise CheckpointError(
            f"{source!r} is a directory, which --in-place cannot replace. Give another target."
        )
    if same and not in_place:
        raise CheckpointError(
            f"The target {target!r} is the source. Use another path, or --in-place, which keeps a "
            "backup."
        )
    if not same and os.path.isdir(target):
        raise CheckpointError(f"{target!r} is a directory. Give the path of a file in it.")
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
