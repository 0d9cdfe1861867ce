"""What can go wrong with a checkpoint, for people who read one sentence."""


class CheckpointError(ValueError):
    """A file cannot be read or written; the text names the file, the reason and the remedy.

    Examples:
        >>> from keras_optimizers import checkpoint
        >>> try:
        ...     checkpoint.read("nothing.h5")
        ... except checkpoint.CheckpointError as error:
        ...     print(error)
        There is no file 'nothing.h5'.
    """


class NotRepresentable(CheckpointError):
    """The target has no place, or no mathematics, for what the source holds.

    Examples:
        >>> from keras_optimizers import checkpoint
        >>> state = checkpoint.OptimizerState("Adamax", {}, 1, [], {})
        >>> try:
        ...     checkpoint.write(state, "adamax.ckpt", "saver-tf-train")
        ... except checkpoint.NotRepresentable as error:
        ...     print(error)
        tf.train has no Adamax.
    """
