"""Compare numbers to the bit, in units in the last place, and two recordings with each other."""

import re
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from keras_optimizers.conformance.recorder.storage import Recording, RecordingError

_INTEGERS = {2: np.int16, 4: np.int32, 8: np.int64}


def ulps_between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How many floating numbers lie from `one` to `other`, element by element, as float64.

    0 for the same number; NaN counts as equal to NaN and as infinitely far from anything else.
    """
    one, other = np.asarray(one), np.asarray(other)
    if one.dtype.kind != "f":
        return np.abs(one.astype(np.float64) - other.astype(np.float64))
    below, above = _ordered(one), _ordered(other)
    same_side = (below < 0) == (above < 0)
    # Whole numbers lose their last digits as float64: those of one sign are subtracted before.
    apart = np.abs(np.where(same_side, below - np.where(same_side, above, 0), 0))
    across = np.abs(below.astype(np.float64)) + np.abs(above.astype(np.float64))
    found = np.where(same_side, apart.astype(np.float64), across).reshape(one.shape)
    nan_one, nan_other = np.isnan(one), np.isnan(other)
    found = np.where(nan_one & nan_other, 0.0, found)
    return np.where(nan_one ^ nan_other, np.inf, found)


def _ordered(values: np.ndarray) -> np.ndarray:
    """Integers in the order of the floating numbers; both zeros are 0."""
    bits = np.ascontiguousarray(values).reshape(-1).view(_INTEGERS[values.dtype.itemsize])
    bits = bits.astype(np.int64)
    least = np.int64(-(2 ** (8 * values.dtype.itemsize - 1)))
    # A negative number's bits grow with its size.
    return np.where(bits < 0, least - np.minimum(bits, 0), bits)


def compare_recordings(
    made: Recording, recorded: Recording, only: Optional[Sequence[str]] = None
) -> List[str]:
    """One line for each thing that differs, and a last line that counts."""
    lines: List[str] = []
    names = list(only or sorted(set(made.case_names()) | set(recorded.case_names())))
    arrays = 0
    for name in names:
        one = made.facts["cases"].get(name)
        other = recorded.facts["cases"].get(name)
        if one is None or other is None:
            lines.append("%s: only %s" % (name, "recorded" if one is None else "made now"))
            continue
        arrays += len(one.get("arrays", {}))
        for key in ("refused", "weights", "config", "class"):
            if one.get(key) != other.get(key):
                lines.append("%s: %s is %r, was %r" % (name, key, one.get(key), other.get(key)))
        if one.get("arrays") != other.get("arrays") and "arrays" in one and "arrays" in other:
            lines.append("%s: %s" % (name, _first_difference(made, recorded, name)))
    if not only:
        for key in ("errors", "errors_by_class", "signatures"):
            mine, theirs = _flat(made.facts.get(key) or {}), _flat(recorded.facts.get(key) or {})
            for name in sorted(set(mine) | set(theirs)):
                if with_sets_in_order(mine.get(name)) != with_sets_in_order(theirs.get(name)):
                    lines.append("%s: %s: %r" % (key, name, mine.get(name)))
                    lines.append("%s  was %r" % (" " * len(key), theirs.get(name)))
    if lines:
        lines += explain(made.facts, recorded.facts)
    count = "%s: compared %d cases, %d arrays" % (recorded.name, len(names), arrays)
    return lines + [count + (": different" if lines else ": all equal")]


def _flat(facts: Dict[str, Any]) -> Dict[str, Any]:
    """Facts by name, and those of a class by "CLASS: name"."""
    flat: Dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, dict):
            flat.update({"%s: %s" % (name, inner): one for inner, one in value.items()})
        else:
            flat[name] = value
    return flat


def with_sets_in_order(value: Any) -> str:
    """`value` as text. Sets of names in it are sorted: Python shows them in any order."""

    def in_order(found: Any) -> str:
        return "{%s}" % ", ".join(sorted(found.group(1).split(", ")))

    return re.sub(r"\{('\w+'(?:, '\w+')*)\}", in_order, repr(value))


def explain(made: Any, recorded: Any) -> List[str]:
    """What differs between the two places of recording and can change the last bits."""
    reasons = []
    for key in ("square_roots", "processor", "threads", "versions"):
        if made.get(key) != recorded.get(key):
            label = key.replace("_", " ")
            reasons.append("%s: %s, was %s" % (label, made.get(key), recorded.get(key)))
    if not reasons:
        return ["Processor, square roots, threads and versions are the recording's."]
    return ["Not the same as when it was recorded:"] + ["  " + reason for reason in reasons]


def _first_difference(made: Recording, recorded: Recording, case: str) -> str:
    try:
        one, other = made.trace(case).arrays, recorded.trace(case).arrays
    except RecordingError as error:
        return str(error)
    for name in sorted(set(one) & set(other)):
        if one[name].shape != other[name].shape or one[name].dtype != other[name].dtype:
            return "%s has another shape or dtype" % name
        if one[name].tobytes() != other[name].tobytes():
            farthest = np.max(ulps_between(one[name], other[name]))
            return "%s differs by up to %.0f ulp" % (name, farthest)
    return "other arrays"
