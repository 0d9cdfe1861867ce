"""The Kerases whose models an optimizer can train, and which of them is current."""

from keras_optimizers.hosts.host import (
    TF_KERAS,
    Host,
    StandaloneKeras,
    StandaloneKeras23,
    choose,
    current,
)

__all__ = ["TF_KERAS", "Host", "StandaloneKeras", "StandaloneKeras23", "choose", "current"]
