"""Whether a written file, read again, holds what was meant."""

import hashlib
from typing import Any, List, Optional

import numpy as np

from keras_optimizers.checkpoint import mathematics
from keras_optimizers.checkpoint.state import Array, OptimizerState
from keras_optimizers.reference import CLIPPING, OPTIMIZERS

# Layouts keep rates in float32, ours are doubles.
_NEAR = 1e-6


def differences(
    meant: OptimizerState,
    found: OptimizerState,
    counts: bool,
    in_order: bool = True,
    tolerance: float = 0.0,
    progress: Any = None,
) -> List[str]:
    """Sentences about what `found` holds otherwise than `meant`; none where it is the same.

    One array at a time is in memory, or two of them where `tolerance` is not 0.

    Arguments:
        counts: whether the layout has a place for `iterations`.
        in_order: whether the file keeps the order of the parameters.
        tolerance: relative difference of slots that the format stores in another form; 0 for bits.
        progress: called with (bytes done, bytes in all).
    """
    problems = []
    if found.class_name != meant.class_name:
        return [f"its class is {found.class_name}, not {meant.class_name}"]
    if counts and found.iterations != (meant.iterations or 0):
        problems.append(f"iterations are {found.iterations}, not {meant.iterations or 0}")
    scheduled = meant.hyperparameters.get("learning_rate_schedule") is not None
    for name in [*OPTIMIZERS[meant.class_name].defaults, *CLIPPING]:
        if scheduled and name in ("lr", "decay"):
            continue
        wanted, held = meant.hyperparameters.get(name), found.hyperparameters.get(name)
        if not _near(wanted, held):
            problems.append(f"{name} is {held!r}, not {wanted!r}")
    if len(found.parameters) != len(meant.parameters):
        counted = f"{len(found.parameters)} parameters, not {len(meant.parameters)}"
        return [*problems, f"it has slots of {counted}"]
    roles = [role for role in mathematics.roles_read(meant) if role in meant.slots]
    total = sum(meant.slots[role][n].size_in_bytes for role in roles for n in meant.slots[role])
    done = 0
    for role in roles:
        wanted_arrays = _in_order(meant, role)
        held_arrays = _in_order(found, role)
        if not in_order:
            wanted_arrays, held_arrays = _by_content(wanted_arrays), _by_content(held_arrays)
        for wanted_array, held_array in zip(wanted_arrays, held_arrays):
            if not _same(wanted_array, held_array, tolerance):
                problems.append(f"a slot of the role {role} has other values")
                break
            done += 0 if wanted_array is None else wanted_array.size_in_bytes
            if progress is not None:
                progress(done, total)
    return problems


def _near(wanted: Any, held: Any) -> bool:
    if wanted is None or held is None:
        return wanted is held
    return bool(abs(float(wanted) - float(held)) <= _NEAR * abs(float(wanted)))


def _in_order(state: OptimizerState, role: str) -> List[Optional[Array]]:
    held = state.slots.get(role, {})
    return [held.get(parameter.name) for parameter in state.parameters]


def _by_content(arrays: List[Optional[Array]]) -> List[Optional[Array]]:
    """In an order that depends on the arrays' values alone."""

    def key(array: Optional[Array]) -> Any:
        if array is None:
            return ((), b"")
        return (array.shape, _digest(array))

    return sorted(arrays, key=key)


def _digest(array: Array) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(array.read())).digest()


def _same(wanted: Optional[Array], held: Optional[Array], tolerance: float) -> bool:
    if wanted is None:  # nothing was known: zeros were written
        return True
    if held is None or wanted.shape != held.shape:
        return False
    if not tolerance:  # digests, so that one array at a time is in memory
        return wanted.dtype == held.dtype and _digest(wanted) == _digest(held)
    one, other = wanted.read(), held.read()
    return bool(np.allclose(one, other, rtol=tolerance, atol=tolerance * 1e-6, equal_nan=True))
