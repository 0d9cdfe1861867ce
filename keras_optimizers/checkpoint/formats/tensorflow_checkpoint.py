"""Reading TensorFlow's own checkpoints: which kind one is, by its tensors' names and objects."""

from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats import (
    object_checkpoint,
    object_checkpoint_2_11,
    object_checkpoint_ours,
    optimizer_objects,
    saver,
    tf_train,
)
from keras_optimizers.checkpoint.formats.format import Reader, ReadRequest
from keras_optimizers.checkpoint.state import OptimizerState
from keras_optimizers.checkpoint.storage import bundles

_READERS = {
    optimizer_objects.OPTIMIZER_V2: object_checkpoint.read,
    optimizer_objects.TF_KERAS_2_11: object_checkpoint_2_11.read,
    optimizer_objects.OURS: object_checkpoint_ours.read,
}


def is_checkpoint(path: str) -> bool:
    """Whether it is the prefix, or a file, of such a checkpoint."""
    return bundles.prefix_of(path) is not None


def read(request: ReadRequest) -> OptimizerState:
    """The optimizer's state in such a checkpoint.

    Raises:
        CheckpointError: If it is damaged, or holds no optimizer that is known.
    """
    prefix = bundles.prefix_of(request.path) or request.path
    try:
        return _read(request, prefix)
    except CheckpointError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise bundles.unreadable(prefix, error) from error


def _read(request: ReadRequest, prefix: str) -> OptimizerState:
    tensors = bundles.open_bundle(prefix)
    candidates, values, class_name = request.candidates(), request.values, request.class_name
    if bundles.is_object_checkpoint(tensors):
        objects = optimizer_objects.open_objects(prefix, tensors)
        optimizer = objects.chosen(request.optimizer)
        known = optimizer_objects.ReadObjects(objects, optimizer, candidates, values, class_name)
        return _READERS[optimizer.kind](known)
    if saver.scope_of(tensors) is not None:
        return saver.read(prefix, tensors, candidates, values)
    return tf_train.read(prefix, tensors, candidates, values, class_name)


READER = Reader(is_checkpoint, read)
