"""The Kerases whose models an optimizer can train: a file each, and which of them is current.

To add a release of Keras, write a subclass of `Host` that says in what it differs, and list it
in `STANDALONE`.
"""

from typing import Any, Callable, Dict

from keras_optimizers.hosts.current_host import choose, current
from keras_optimizers.hosts.host import Host
from keras_optimizers.hosts.keras_2_2 import Keras22
from keras_optimizers.hosts.keras_2_3 import Keras23
from keras_optimizers.hosts.tf_keras import TF_KERAS

# Releases of the package `keras`, by the first two numbers of their version.
STANDALONE: Dict[str, Callable[[Any], Host]] = {"2.2": Keras22, "2.3": Keras23}

__all__ = ["STANDALONE", "TF_KERAS", "Host", "choose", "current"]
