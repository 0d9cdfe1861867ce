"""Says when a script imports the Keras whose optimizers stay as they are."""

import contextlib
import importlib.abc
import importlib.machinery
import sys
from typing import Any, Callable, Iterator


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, notice: Callable[[], None]) -> None:
        self._notice = notice

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Part of the import system's protocol: None leaves the search to the other finders."""
        if name == "keras" and importlib.machinery.PathFinder.find_spec(name) is not None:
            self._notice()


@contextlib.contextmanager
def noticed(script: str, show: Callable[[str], None]) -> Iterator[None]:
    """While this is entered, `show` gets a sentence when standalone Keras is imported."""
    finder = _Finder(
        lambda: show(
            f"{script} imports keras, and gets the optimizers of that package from it. To get the "
            f"original ones: keras-optimizers run --host keras {script}"
        )
    )
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
