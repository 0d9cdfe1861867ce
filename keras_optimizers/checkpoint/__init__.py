"""Checkpoints with optimizer state, from any era of Keras and TensorFlow to any other.

    state = read("model.h5")                    # an OptimizerState
    report = write(state, "new.h5", "optimizer-v2", source="model.h5")
    state = capture(optimizer)                  # of a live optimizer of ours, in a graph
    report = restore(optimizer, state)

Needs NumPy and, for HDF5 and .keras files, h5py. TensorFlow is needed only for its own
checkpoints and for live optimizers. Runs on Python 3.6 and later.

Each package here imports only those before it:

    reference, numpy_rules            what r1.10 says, without TensorFlow
    errors, report, state             the words that all others use
    mathematics, matching, confirmation
    storage                           HDF5, bundles, atomic files, the supervised process
    eras                              what each era can say: one table
    architecture                      a model's config in another era's words
    formats                           a reader or writer each, and their registry
    fitting, verification, migration, inspection, live
    command                           `inspect`, `migrate`, `verify`

and then the command line, `keras_optimizers.cli`.
"""

import os
from typing import Any, List, Optional

from keras_optimizers.checkpoint.errors import CheckpointError, NotRepresentable
from keras_optimizers.checkpoint.formats import registry as _registry
from keras_optimizers.checkpoint.formats.saved_model import as_file as _as_file
from keras_optimizers.checkpoint.live import capture, restore
from keras_optimizers.checkpoint.migration import migrate
from keras_optimizers.checkpoint.migration import prepare as _prepare
from keras_optimizers.checkpoint.migration import write_prepared as _write_prepared
from keras_optimizers.checkpoint.report import Report
from keras_optimizers.checkpoint.state import Array, OptimizerState, Parameter, Provenance

__all__ = [
    "Array",
    "CheckpointError",
    "NotRepresentable",
    "OptimizerState",
    "Parameter",
    "Provenance",
    "Report",
    "capture",
    "formats",
    "migrate",
    "read",
    "restore",
    "write",
]


def formats() -> List[str]:
    """The names of the formats that `write` takes.

    Examples:
        >>> from keras_optimizers import checkpoint
        >>> "optimizer-v2" in checkpoint.formats()
        True
    """
    return _registry.names()


def read(path: Any, **options: Any) -> OptimizerState:
    """The optimizer's state in a file, whose format is found in the file itself.

    Arguments:
        path: an HDF5 or .keras file, or the prefix of a TensorFlow checkpoint.
        **options: `class_name`, `model` (a file that holds the same model) and `optimizer` (the
            attributes that lead to one of several), for TensorFlow's checkpoints, which do not
            tell everything.

    Returns:
        The state. Its arrays are read when they are used: keep the file where it is.

    Raises:
        CheckpointError: If the file cannot be read, or holds no optimizer's state.

    Examples:
        >>> import numpy as np
        >>> from keras_optimizers.checkpoint import OptimizerState, Parameter, read, write
        >>> parameters = [Parameter("dense/kernel", (2,), "float32")]
        >>> slots = {"velocity": {"dense/kernel": np.float32([0.5, 0.25])}}
        >>> options = {"lr": 0.1, "momentum": 0.9, "decay": 0.0, "nesterov": False}
        >>> state = OptimizerState("SGD", options, 100, parameters, slots)
        >>> report = write(state, "state.h5", "keras-2.3")
        >>> read("state.h5")
        <OptimizerState SGD, iterations=100, 1 parameters, slots: velocity>
    """
    return _registry.read(os.fspath(path), **options)


def write(
    state: OptimizerState, path: Any, format: str, source: Optional[Any] = None, **options: Any
) -> Report:
    """Write a state for an era, into a file that appears whole or not at all.

    Arguments:
        state: it is not changed.
        path: where to; what is there is replaced.
        format: one of `formats()`.
        source: a file whose model, and everything else, is carried over. Without one the
            optimizer's part is all that is written.

    Returns:
        What became of every field.

    Raises:
        CheckpointError: If the format has no place or no mathematics for it, or the file cannot
            be written, or read again as it was meant. Nothing has changed then.

    Examples:
        >>> import numpy as np
        >>> from keras_optimizers.checkpoint import OptimizerState, Parameter, read, write
        >>> parameters = [Parameter("dense/kernel", (2,), "float32")]
        >>> slots = {"velocity": {"dense/kernel": np.float32([0.5, 0.25])}}
        >>> options = {"lr": 0.1, "momentum": 0.9, "decay": 0.0, "nesterov": False}
        >>> state = OptimizerState("SGD", options, 100, parameters, slots)
        >>> report = write(state, "state.h5", "optimizer-v2")
        >>> report.inexact
        []
        >>> read("state.h5").iterations
        100
    """
    path = os.fspath(path)
    target = _registry.format_named(format)
    target.check_ending(path)
    target.check_options(options)
    carried = None if source is None else os.fspath(source)
    state = state.copy()
    state.has_embeddings = _registry.has_embeddings(state, carried)
    prepared = _prepare(state, target)
    if carried is None:
        _write_prepared(prepared, path, options=options)
    else:
        with _as_file(carried) as model_file:
            _write_prepared(prepared, path, model_file, options=options)
    return prepared.report
