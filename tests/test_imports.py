"""Every module can be imported, on every Python and with every release of what it needs."""

import importlib
import pkgutil

import keras_optimizers


def test_every_module_can_be_imported():
    prefix = keras_optimizers.__name__ + "."
    found = pkgutil.walk_packages(keras_optimizers.__path__, prefix, onerror=_fail)
    names = [one.name for one in found if not one.name.endswith("__main__")]
    for name in names:
        importlib.import_module(name)
    assert len(names) > 90


def _fail(name):
    raise ImportError(name)
