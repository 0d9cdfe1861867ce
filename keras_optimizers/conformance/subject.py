"""The optimizer under test: how it is made, and what it does in a case."""

import sys
from typing import Any, Callable, Dict, List, Optional

from keras_optimizers.conformance.recorder import cases, record, training
from keras_optimizers.conformance.recorder.hosts import Host
from keras_optimizers.conformance.recorder.training import Trace

Factory = Callable[..., Any]


class Subject:
    """A factory of optimizers, the class it stands for, and the traces that were made so far.

    Arguments:
        factory: called with arguments of r1.10's names, makes an optimizer: a class, or a function.
        class_name: the class of the references that it is compared with, such as "Adam". The
            default is the factory's name if the references have a class of that name.
        host: "tf.keras" or "keras".

    Attributes:
        given: MODULE:FACTORY as the command was given it.

    Raises:
        ValueError: If the factory is not callable, or the class is unknown.
    """

    def __init__(self, factory: Factory, class_name: str = "", host: str = "tf.keras") -> None:
        if not callable(factory):
            raise ValueError(
                "The factory must be a class or a function that makes an optimizer, not "
                f"{factory!r}."
            )
        self.factory = factory
        self.name = getattr(factory, "__name__", type(factory).__name__)
        known = self.name if self.name in cases.CLASS_NAMES else ""
        self.class_name = class_name or known
        if self.class_name and self.class_name not in cases.CLASS_NAMES:
            raise ValueError(
                f"class_name must be one of {', '.join(cases.CLASS_NAMES)}, not {class_name!r}."
            )
        self.host_name = host
        self.given = ""
        self._host: Optional[Host] = None
        self._square_roots = ""
        self._checked = False
        self._traces: Dict[str, Any] = {}

    @property
    def host(self) -> Host:
        """The Keras that it trains in; TensorFlow is imported for it."""
        if self._host is None:
            if self.host_name not in ("tf.keras", "keras"):
                raise ValueError(f"host must be 'tf.keras' or 'keras', not {self.host_name!r}.")
            of = Host.of_keras if self.host_name == "keras" else Host.of_tf_keras
            self._host = of()
        return self._host

    @property
    def square_roots(self) -> str:
        """What float32 square roots are here; see `recorder.record.square_roots`."""
        if not self._square_roots:
            self._square_roots = record.square_roots(self.host)
        return self._square_roots

    def own_cases(self) -> Dict[str, cases.Case]:
        """The cases that apply to it."""
        if not self.class_name:
            return dict(cases.CUSTOM_CASES)
        own = self.class_name
        return {name: case for name, case in cases.CASES.items() if case.class_name == own}

    def make(self, **arguments: Any) -> Any:
        """An optimizer.

        Raises:
            ValueError: If what the factory makes is none.
        """
        made = self.factory(**arguments)
        for method in ("get_updates", "get_weights", "set_weights", "get_config"):
            if not callable(getattr(made, method, None)):
                raise ValueError(
                    f"{self.name} makes {type(made).__name__!r}, which has no {method}(). The kit "
                    "tests optimizers with the interface of Keras 2: get_updates(loss, params), "
                    "get_weights(), set_weights(weights), get_config()."
                )
        return made

    def check(self) -> None:
        """Make an optimizer without arguments, once.

        Raises:
            ValueError: If that fails, or what comes is no optimizer.
        """
        if self._checked:
            return
        with training.fresh(self.host, "float32"):
            try:
                self.make()
            except (ValueError, ImportError):
                raise
            except Exception as error:
                raise ValueError(
                    f"{self.name}() fails: {type(error).__name__}: {error}. A factory must make an "
                    "optimizer without arguments, too."
                ) from error
        self._checked = True

    def trace(self, case: cases.Case) -> Trace:
        """What it does in a case. Whatever it raises is raised again each time."""
        if case.name not in self._traces:
            name = self.class_name or self.name
            try:
                self._traces[case.name] = training.run_case(self.host, self.make, case, name)
            except Exception as error:
                self._traces[case.name] = error
        found = self._traces[case.name]
        if isinstance(found, Exception):
            raise found
        return found

    def errors(self) -> Dict[str, Optional[List[str]]]:
        """Types and words of the errors on bad inputs."""
        return record.record_class_errors(self.host, self.make)

    def path(self) -> str:
        """MODULE:NAME by which a command finds the factory; "" if it cannot."""
        if self.given:
            return self.given
        module = getattr(self.factory, "__module__", "")
        if module.startswith("keras_optimizers.") and self.name in cases.CLASS_NAMES:
            module = "keras_optimizers"
        loaded = sys.modules.get(module)
        found = getattr(loaded, self.name, None) if loaded and module != "__main__" else None
        return f"{module}:{self.name}" if found is self.factory else ""


class RecordedSubject(Subject):
    """A class of a recorded version in place of an optimizer under test: nothing is trained.

    Arguments:
        recording: of an upstream version.
        class_name: one of its classes.
    """

    def __init__(self, recording: Any, class_name: str) -> None:
        super().__init__(self.make, class_name)
        self._recording, self.name = recording, class_name

    @property
    def square_roots(self) -> str:
        """Those of the machine on which it was recorded."""
        return str(self._recording.facts["square_roots"])

    def check(self) -> None:
        """It was recorded, so it can be made."""

    def trace(self, case: cases.Case) -> Trace:
        """What it was recorded to do."""
        return self._recording.trace(case.name)

    def errors(self) -> Dict[str, Optional[List[str]]]:
        """Its recorded errors."""
        return self._recording.facts["errors_by_class"][self.class_name]
