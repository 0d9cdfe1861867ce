"""How near is near enough: to the bit, within units in the last place, or within a tolerance."""

from typing import Any, NamedTuple, Optional, Union

import numpy as np

from keras_optimizers.conformance.recorder.comparing import ulps_between

# Another processor's float32 square roots change the last bits of each step.
OTHER_SQUARE_ROOTS = 1e-4


class Level(NamedTuple("Level", [("kind", str), ("bound", float)])):
    """A demand on two numbers.

    Attributes:
        kind: "bits", "ulp" or "tolerance".
        bound: units in the last place; or the part of the variable's largest number in that
            step (or of 1, if that is larger) by which two numbers may differ.
    """

    __slots__ = ()

    @classmethod
    def of(cls, level: Union[str, int, float, "Level", None], reference: str = "") -> "Level":
        """A level of "bits", "4 ulp" (or the integer 4), "1e-6" (or the float).

        None is "bits", and 1e-5 where the reference is the NumPy rules.

        Raises:
            ValueError: If it is none of these.
        """
        if isinstance(level, Level):
            return level
        if level is None:
            return cls("tolerance", 1e-5) if reference == "numpy" else cls("bits", 0)
        if isinstance(level, int) and not isinstance(level, bool) and level >= 0:
            return cls("ulp", level)
        text = str(level).strip().lower()
        number = _number(text[:-3] if text.endswith("ulp") else text)
        if text == "bits":
            return cls("bits", 0)
        if number is not None and text.endswith("ulp"):
            return cls("ulp", number)
        if number is not None and number > 0:
            return cls("tolerance", number)
        raise ValueError(
            "level must be 'bits', a number of units in the last place such as '4 ulp', or a "
            f"tolerance such as '1e-6', not {level!r}."
        )

    def __str__(self) -> str:
        if self.kind == "bits":
            return "to the bit"
        return f"within {self.bound:g} ulp" if self.kind == "ulp" else f"within {self.bound:g}"

    def violations(self, got: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Which elements of a step differ by more than this level allows."""
        if self.kind == "bits":
            same = (got == expected) & (np.signbit(got) == np.signbit(expected))
            return ~(same | (np.isnan(got) & np.isnan(expected)))
        if self.kind == "ulp":
            return ulps_between(got, expected) > self.bound
        finite = expected[np.isfinite(expected)]
        scale = max(1.0, float(np.max(np.abs(finite)))) if finite.size else 1.0
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.abs(got.astype(np.float64) - expected.astype(np.float64))
            # Of huge numbers a part of the number itself is allowed, not of the largest one.
            near = apart <= self.bound * (np.abs(expected.astype(np.float64)) + min(scale, 1e6))
        return ~(near | (got == expected) | (np.isnan(got) & np.isnan(expected)))


def _number(text: str) -> Optional[float]:
    try:
        return float(text)
    except ValueError:
        return None


def as_floats(array: Any) -> np.ndarray:
    """`array` as floating numbers, which is what the levels compare."""
    array = np.asarray(array)
    return array if array.dtype.kind == "f" else array.astype(np.float64)
