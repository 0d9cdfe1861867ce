"""Whether the native op is asked for: by an optimizer's argument, or for all by the environment."""

import os
from typing import Any, Optional

from keras_optimizers.lowering.native import library

VARIABLE = "KERAS_OPTIMIZERS_NATIVE"
_OFF, _ON, _REQUIRED = ("", "0"), "1", "require"


def _setting() -> str:
    """The environment variable's value.

    Raises:
        ValueError: If it is none of the known ones.
    """
    value = os.environ.get(VARIABLE, "")
    if value not in (*_OFF, _ON, _REQUIRED):
        raise ValueError(
            f"{VARIABLE} must be 1 (where it can be had), require (an error where not) or 0, "
            f"received: {value!r}"
        )
    return value


def is_required() -> bool:
    """Whether it is an error if the native op cannot be had."""
    return _setting() == _REQUIRED


def is_asked_for(native: bool) -> bool:
    """Whether the native op is wanted.

    Arguments:
        native: the optimizer's argument.

    Raises:
        ValueError: If KERAS_OPTIMIZERS_NATIVE has a value that means nothing.
    """
    return _setting() not in _OFF or native


def op_module(native: bool) -> Optional[Any]:
    """The module with the native op; None if it is not asked for or cannot be had.

    Arguments:
        native: the optimizer's argument.

    Raises:
        ValueError: If KERAS_OPTIMIZERS_NATIVE has a value that means nothing.
        NativeUnavailableError: If it is required, and cannot be had.
    """
    return library.load(is_required()) if is_asked_for(native) else None
