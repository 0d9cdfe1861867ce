"""The host of the optimizers that are made now."""

from keras_optimizers.hosts.host import Host
from keras_optimizers.hosts.tf_keras import TF_KERAS

_current: Host = TF_KERAS


def current() -> Host:
    """The host of the optimizers that are made now."""
    return _current


def choose(host: Host) -> Host:
    """Make `host` the current one; the one before is returned."""
    global _current
    before, _current = _current, host
    return before
