"""Prove that an optimizer behaves as an upstream version did, to the bit.

    from keras_optimizers.conformance import assert_conforms

    assert_conforms(MyAdam, "tf-1.10", class_name="Adam")

`docs/conformance.md` has the rest: pytest, the command, one's own recordings. The names are
imported when they are first used, because pytest imports this package for its plugin in every run;
TensorFlow is not imported until an optimizer is trained.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from keras_optimizers.conformance.api import assert_conforms, record, record_all, run
    from keras_optimizers.conformance.comparison import compare
    from keras_optimizers.conformance.parametrize import parametrize_with_checks
    from keras_optimizers.conformance.references import RecordingError, load_reference, names

__all__ = [
    "RecordingError",
    "assert_conforms",
    "compare",
    "load_reference",
    "names",
    "parametrize_with_checks",
    "record",
    "record_all",
    "run",
]

# Which module defines a name.
_MODULES = {
    "assert_conforms": "api",
    "record": "api",
    "record_all": "api",
    "run": "api",
    "compare": "comparison",
    "parametrize_with_checks": "parametrize",
    "RecordingError": "references",
    "load_reference": "references",
    "names": "references",
}


class _Package(ModuleType):
    """A module that imports its names when they are asked for; see `keras_optimizers`."""

    def __getattr__(self, name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{self.__name__}.{_MODULES[name]}"), name)
        setattr(self, name, value)
        return value

    def __dir__(self) -> List[str]:
        return sorted(set(super().__dir__()) | set(__all__))


sys.modules[__name__].__class__ = _Package
