"""Arguments in a script: defaults that are others without this package, and Keras 2.3's names."""

import contextlib
import functools
import inspect
from typing import Any, Callable, ContextManager, Iterator, Sequence

from keras_optimizers import changed_defaults

_REMEDY = "Give {argument} in the script, and this line goes."
# The recorded version whose classes ours replace, by the script's Keras.
_REPLACED = {"tf.keras": "tf-1.15-v2", "keras": "keras-2.3.1"}


def noticed(
    classes: Sequence[Any], package: str, show: Callable[[str], None]
) -> ContextManager[None]:
    """While this is entered, `show` gets each such sentence once.

    Arguments:
        classes: of optimizers, by their names in `reference`.
        package: the Keras of the script, "tf.keras" or "keras".
        show: called with one sentence for a class and an argument.
    """
    changes = changed_defaults.changes_in(_REPLACED[package])
    shown = set()

    def show_once(sentence: str) -> None:
        if sentence not in shown:
            shown.add(sentence)
            show(sentence)

    return _initialized_by(
        classes, lambda one: _telling(one.__name__, one.__init__, changes, show_once)
    )


def names_of_keras_2_3(classes: Sequence[Any]) -> ContextManager[None]:
    """While this is entered, the classes also take `learning_rate`, as `lr`.

    For scripts of standalone Keras that run on the Keras of TensorFlow 2.
    """
    return _initialized_by(classes, lambda one: _taking_learning_rate(one.__init__))


@contextlib.contextmanager
def _initialized_by(classes: Sequence[Any], make: Callable[[Any], Any]) -> Iterator[None]:
    """While this is entered, what `make` gives for a class is its `__init__`."""
    originals = [(one, one.__init__) for one in classes]
    for one in classes:
        one.__init__ = make(one)
    try:
        yield
    finally:
        for one, original in originals:
            one.__init__ = original


def _taking_learning_rate(original: Any) -> Any:
    @functools.wraps(original)
    def initialize(self: Any, *arguments: Any, **named: Any) -> None:
        if "learning_rate" in named and "lr" not in named:
            named["lr"] = named.pop("learning_rate")
        original(self, *arguments, **named)

    return initialize


def _telling(class_name: str, original: Any, changes: Any, show: Callable[[str], None]) -> Any:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def initialize(self: Any, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        bound = signature.bind(self, *arguments, **named).arguments
        # Keras 2.3 calls the rate `learning_rate`, to r1.10's signature one keyword of many.
        given = set(bound) | set(named) | ({"lr"} if "learning_rate" in named else set())
        missing = {
            name: parameter.default
            for name, parameter in signature.parameters.items()
            if name not in given
        }
        for sentence in changed_defaults.sentences(class_name, missing, _REMEDY, changes):
            show(sentence)

    return initialize
