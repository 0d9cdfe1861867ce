"""What there is to see of a state, a report or a comparison: as JSON values and as text."""

import math
from typing import Any, Dict

import numpy as np

from keras_optimizers import reference
from keras_optimizers.checkpoint import mathematics
from keras_optimizers.checkpoint.migration import Outcome
from keras_optimizers.checkpoint.report import as_text_of_fields, columns
from keras_optimizers.checkpoint.state import Array, OptimizerState
from keras_optimizers.checkpoint.verification import Comparison, by_role


def describe(state: OptimizerState, norms: bool = True, progress: Any = None) -> Dict[str, Any]:
    """A state as JSON values.

    Arguments:
        norms: read every slot for its L2 norm.
        progress: called with (bytes done, bytes in all).
    """
    definition = reference.OPTIMIZERS[state.class_name]
    total = sum(array.size_in_bytes for _, _, array in state.arrays())
    done = 0
    slots = []
    for role, name, array in state.arrays():
        entry: Dict[str, Any] = {
            "role": role,
            "parameter": name,
            "shape": list(array.shape),
            "dtype": array.dtype.name,
        }
        if norms:
            entry.update(_norm(array))
            done += array.size_in_bytes
            if progress is not None:
                progress(done, total)
        slots.append(entry)
    missing = [name for name in definition.defaults if name not in state.hyperparameters]
    missing += [role for role in mathematics.roles_read(state) if role not in state.slots]
    if state.iterations is None:
        missing.append("iterations")
    if state.class_name == "Nadam" and "m_schedule" not in state.scalars:
        missing.append("m_schedule")
    return {
        "path": state.provenance.path or None,
        "format": state.provenance.format or None,
        "title": state.provenance.title or None,
        "producer": state.provenance.producer or None,
        "class_name": state.class_name,
        "hyperparameters": {k: _plain(v) for k, v in state.hyperparameters.items()},
        "iterations": state.iterations,
        "scalars": {name: _plain(value) for name, value in state.scalars.items()},
        "parameters": [
            {"name": one.name, "shape": list(one.shape), "dtype": one.dtype}
            for one in state.parameters
        ],
        "slots": slots,
        "missing": missing,
        "notes": [*state.notes, *(f"{name}: {why}." for name, why in state.doubts.items())],
    }


def _norm(array: Array) -> Dict[str, Any]:
    values = array.read().astype(np.float64).ravel()
    with np.errstate(all="ignore"):
        norm = float(np.sqrt(np.dot(values, values)))
    return {"norm": norm if math.isfinite(norm) else str(norm)}


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def as_text(description: Dict[str, Any]) -> str:
    """`describe`'s values for a reader."""
    lines = [
        f"{description['path']}",
        f"  format      {description['format']} ({description['title']})",
        f"  written by  {description['producer']}",
        f"  optimizer   {description['class_name']}",
    ]
    for name, value in description["hyperparameters"].items():
        lines.append(f"    {name:<22} {_number(value)}")
    iterations = description["iterations"]
    lines.append(f"  iterations  {'not in the file' if iterations is None else iterations}")
    for name, value in description["scalars"].items():
        lines.append(f"  {name:<11} {_number(value)}")
    lines.append("")
    rows = [
        [
            slot["parameter"],
            "x".join(map(str, slot["shape"])) or "scalar",
            slot["dtype"],
            slot["role"],
            _number(slot["norm"]) if "norm" in slot else "",
        ]
        for slot in description["slots"]
    ]
    if rows:
        lines.append(columns(["parameter", "shape", "dtype", "slot", "norm"], rows))
    else:
        lines.append("no slots")
    if description["missing"]:
        lines.append("\nnot in the file: " + ", ".join(description["missing"]))
    lines += [f"note: {note}" for note in description["notes"]]
    return "\n".join(lines)


def describe_outcome(outcome: Outcome) -> Dict[str, Any]:
    """What a migration did as JSON values."""
    described = dict(
        outcome.report.as_json(),
        class_name=outcome.state.class_name,
        hyperparameters={k: _plain(v) for k, v in outcome.state.hyperparameters.items()},
        iterations=outcome.state.iterations,
        written=outcome.written,
        backup=outcome.backup,
        target=outcome.target,
        format=outcome.format and outcome.format.name,
        title=outcome.format and outcome.format.title,
    )
    if outcome.comparison is not None:
        described["next_step_error"] = _json_number(outcome.comparison.largest)
    return described


def report_as_text(report: Dict[str, Any]) -> str:
    """A report's values for a reader."""
    lines = [as_text_of_fields(report)]
    if report["written"]:
        lines.append(f"wrote {report['target']}: {report['format']} ({report['title']})")
    else:
        lines.append("nothing was written")
    if report.get("backup"):
        lines.append(f"the old file is {report['backup']}")
    return "\n".join(lines)


def describe_comparison(comparison: Comparison, same: bool) -> Dict[str, Any]:
    """A comparison as JSON values: of each role the array that differs most."""
    roles = []
    for role, worst in by_role(comparison).items():
        roles.append(
            {
                "role": role,
                "parameter": worst.parameter,
                "stored_ulp": _json_number(worst.before),
                "next_step_ulp": _json_number(worst.after),
                "next_step_difference": _json_number(worst.largest),
            }
        )
    return {"same": same, "roles": roles, "problems": list(comparison.problems)}


def comparison_as_text(description: Dict[str, Any]) -> str:
    """`describe_comparison`'s values for a reader."""
    header = ["array", "differs most in", "stored, ulp", "next step, ulp", "next step"]
    rows = [
        [
            one["role"],
            one["parameter"],
            _number(one["stored_ulp"]),
            _number(one["next_step_ulp"]),
            _number(one["next_step_difference"]),
        ]
        for one in description["roles"]
    ]
    lines = [columns(header, rows)]
    lines += [f"problem: {problem}" for problem in description["problems"]]
    lines.append("both take the same next step" if description["same"] else "the next steps differ")
    return "\n".join(lines)


def _json_number(value: float) -> Any:
    return value if math.isfinite(value) else str(value)


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
