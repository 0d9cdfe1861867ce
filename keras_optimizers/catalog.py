"""The optimizers of the package, a line each. Needs no TensorFlow.

To add an optimizer, write its module and add its line here. From this table follow the public names
of the package, the names that `get` and `deserialize` know, and those that `install` replaces.
"""

from typing import Dict

# The name of the class, and the module of this package that defines it.
OPTIMIZERS: Dict[str, str] = {
    "SGD": "sgd",
    "RMSprop": "rmsprop",
    "Adagrad": "adagrad",
    "Adadelta": "adadelta",
    "Adam": "adam",
    "Adamax": "adamax",
    "Nadam": "nadam",
}

# The lower-case names, which the reference module has too.
ALIASES: Dict[str, str] = {name.lower(): name for name in OPTIMIZERS}
