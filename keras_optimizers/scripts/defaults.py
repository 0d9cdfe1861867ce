"""Says when a script leaves an argument to a default that is another in other versions."""

import contextlib
import functools
import inspect
from typing import Any, Callable, Iterator, Sequence

from keras_optimizers import changed_defaults

_REMEDY = "Give {argument} in the script, and this line goes."


@contextlib.contextmanager
def noticed(classes: Sequence[Any], package: str, show: Callable[[str], None]) -> Iterator[None]:
    """While this is entered, `show` gets each such sentence once.

    Arguments:
        classes: of optimizers, by their names in `reference`.
        package: the Keras of the script, "tf.keras" or "keras".
        show: called with one sentence for a class and an argument.
    """
    originals = [(one, one.__init__) for one in classes]
    shown = set()

    def show_once(sentence: str) -> None:
        if sentence not in shown:
            shown.add(sentence)
            show(sentence)

    for one, original in originals:
        one.__init__ = _telling(one.__name__, original, package, show_once)
    try:
        yield
    finally:
        for one, original in originals:
            one.__init__ = original


def _telling(class_name: str, original: Any, package: str, show: Callable[[str], None]) -> Any:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def initialize(self: Any, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        bound = signature.bind(self, *arguments, **named).arguments
        # Keras 2.3 calls the rate `learning_rate`, to r1.10's signature one keyword of many.
        given = set(bound) | set(named) | ({"lr"} if "learning_rate" in named else set())
        missing = {}
        for name, parameter in signature.parameters.items():
            if name not in given:
                missing[name] = self.epsilon if name == "epsilon" else parameter.default
        for sentence in changed_defaults.sentences(class_name, missing, package, _REMEDY):
            show(sentence)

    return initialize
