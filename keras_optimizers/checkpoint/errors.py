"""What can go wrong with a checkpoint, for people who read one sentence."""


class CheckpointError(ValueError):
    """A file cannot be read or written; the text names the file, the reason and the remedy."""


class NotRepresentable(CheckpointError):
    """The target has no place, or no mathematics, for what the source holds."""
