"""The state of an optimizer, independent of any file format: readers make it, writers take it."""

from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np

Shape = Tuple[int, ...]


class Array:
    """An array that is read when it is asked for, so that large files pass through in pieces.

    Attributes:
        shape: tuple of ints.
        dtype: NumPy dtype.

    Examples:
        >>> import numpy as np
        >>> from keras_optimizers.checkpoint import Array
        >>> array = Array((2, 3), "float32", lambda: np.zeros((2, 3)))
        >>> array, array.size_in_bytes
        (Array(shape=(2, 3), dtype=float32), 24)
        >>> Array.of([1.0, 2.0]).scaled(0.5).read()
        array([0.5, 1. ])
    """

    def __init__(self, shape: Sequence[int], dtype: Any, load: Callable[[], np.ndarray]) -> None:
        self.shape = tuple(int(length) for length in shape)
        self.dtype = np.dtype(dtype)
        self._load = load

    @classmethod
    def of(cls, value: Any) -> "Array":
        """An array that is in memory."""
        if isinstance(value, Array):
            return value
        array = np.asarray(value)
        return cls(array.shape, array.dtype, lambda: array)

    @classmethod
    def filled(cls, shape: Sequence[int], dtype: Any, value: float) -> "Array":
        """An array with one value everywhere."""
        return cls(shape, dtype, lambda: np.full(tuple(shape), value, dtype))

    def read(self) -> np.ndarray:
        """The values; read again at every call, nothing is kept."""
        value = np.asarray(self._load())
        if value.shape != self.shape:
            raise ValueError(f"Expected an array of shape {self.shape}, received {value.shape}.")
        return value

    @property
    def size_in_bytes(self) -> int:
        """The bytes of its values in memory."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def scaled(self, factor: float) -> "Array":
        """These values times `factor`, in their dtype. A factor of 1 keeps the bits."""
        if factor == 1:
            return self
        return _Scaled(self, factor)

    def __repr__(self) -> str:
        return f"Array(shape={self.shape}, dtype={self.dtype.name})"


class _Scaled(Array):
    """Remembers the factor: scaled back by its inverse, the array is the original to the bit."""

    def __init__(self, original: Array, factor: float) -> None:
        def load() -> np.ndarray:
            return (original.read() * np.float64(factor)).astype(original.dtype)

        super().__init__(original.shape, original.dtype, load)
        self._original, self._factor = original, factor

    def scaled(self, factor: float) -> Array:
        both = self._factor * factor
        return self._original.scaled(1.0 if abs(both - 1) < 1e-6 else both)


class Parameter(NamedTuple):
    """A trained variable: its name without ":0", its shape, its dtype's name.

    `value` is its array where the source holds it, else None.

    Examples:
        >>> from keras_optimizers.checkpoint import Parameter
        >>> Parameter("dense/kernel", (784, 10), "float32").shape
        (784, 10)
    """

    name: str
    shape: Shape
    dtype: str
    value: Optional[Array] = None


class Provenance(NamedTuple):
    """Where a state comes from.

    Attributes:
        path: of the file; "" where there is none.
        format: the name of the layout that it was read by.
        title: the same for people.
        producer: which program wrote it, as far as the file says.
        optimizer: which one, where the file holds several.

    Examples:
        >>> from keras_optimizers.checkpoint import Provenance
        >>> Provenance("model.h5", "keras-2.3").producer
        'unknown'
    """

    path: str = ""
    format: str = ""
    title: str = ""
    producer: str = "unknown"
    optimizer: str = ""


class OptimizerState:
    """All that an optimizer needs to go on, whichever file it came from.

    Everything is as r1.10 defines it (a velocity includes the learning rate and has the sign of
    the step, say): readers convert to that, writers from it.

    Attributes:
        class_name: "SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax" or "Nadam".
        hyperparameters: values by r1.10's names (`lr`, `beta_1`, ...), and beyond r1.10
            `global_clipnorm`, `epsilon_inside_root`, RMSprop's `momentum` and `centered`,
            `weight_decay`, ... Names that the source does not tell are absent.
        iterations: the number of finished steps; None where the source does not hold it.
        scalars: the optimizer's own further scalars: Nadam's `m_schedule`, as NumPy scalars.
        slots: `Array`s by role and by parameter name. A role that the source does not hold is
            absent.
        parameters: the trained parameters, in the order of training.
        variables: the model's variables by name as far as the source holds them, trained or not:
            what a format that keeps model and optimizer together needs.
        object_paths: of the variables of a checkpoint of objects, by name: the attributes that lead
            to each.
        provenance: where it comes from.
        notes: sentences about what was assumed when the source was read.
        doubts: by the name of a hyperparameter: why the source does not tell it for certain.
        left_out: by the name of a field: what a reader found and did not take, because nothing
            that converts has a place for it.
        has_embeddings: whether the model looks up rows of a parameter; None where the source does
            not tell. Eras treat rows that no batch touches differently.
        has_frozen_normalization: whether a BatchNormalization of the model is held fixed; None
            where the source does not tell.
        era_defaults: values that the source's era uses for hyperparameters that are not in it.
        steps_in_rates: the finished steps that `lr` and `decay` already include, where they were
            rewritten for a layout without `iterations`; None where they were not.
        opened_file: keeps the file open that the arrays are read from.

    Examples:
        >>> import numpy as np
        >>> from keras_optimizers.checkpoint import OptimizerState, Parameter
        >>> parameters = [Parameter("dense/kernel", (2,), "float32")]
        >>> slots = {"velocity": {"dense/kernel": np.float32([0.5, 0.25])}}
        >>> options = {"lr": 0.1, "momentum": 0.9, "decay": 0.0, "nesterov": False}
        >>> state = OptimizerState("SGD", options, 100, parameters, slots)
        >>> state
        <OptimizerState SGD, iterations=100, 1 parameters, slots: velocity>
        >>> state.slots["velocity"]["dense/kernel"].read()
        array([0.5 , 0.25], dtype=float32)
    """

    def __init__(
        self,
        class_name: str,
        hyperparameters: Mapping[str, Any],
        iterations: Optional[int],
        parameters: Sequence[Parameter],
        slots: Mapping[str, Mapping[str, Any]],
        scalars: Optional[Mapping[str, Any]] = None,
        provenance: Provenance = Provenance(),  # noqa: B008 (it cannot be changed)
        notes: Sequence[str] = (),
    ) -> None:
        self.class_name = class_name
        self.hyperparameters: Dict[str, Any] = dict(hyperparameters)
        self.iterations = iterations
        self.parameters = list(parameters)
        self.slots: Dict[str, Dict[str, Array]] = {
            role: {name: Array.of(value) for name, value in of_parameters.items()}
            for role, of_parameters in slots.items()
        }
        self.scalars: Dict[str, Any] = dict(scalars or {})
        self.provenance = provenance
        self.notes: List[str] = list(notes)
        self.doubts: Dict[str, str] = {}
        self.left_out: Dict[str, str] = {}
        self.has_embeddings: Optional[bool] = None
        self.has_frozen_normalization: Optional[bool] = None
        self.era_defaults: Dict[str, Any] = {}
        self.steps_in_rates: Optional[int] = None
        self.opened_file: Any = None
        self.variables: Dict[str, Array] = {}
        self.object_paths: Dict[str, str] = {}
        self._check()

    def _check(self) -> None:
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) != len(names):
            raise ValueError("Expected parameters of different names.")
        for role, of_parameters in self.slots.items():
            for name in of_parameters:
                if name not in names:
                    raise ValueError(f"The slot {role} is of an unknown parameter: {name!r}.")

    def arrays(self) -> Iterator[Tuple[str, str, Array]]:
        """(role, parameter name, array) of every slot, role by role in the parameters' order."""
        for role, of_parameters in self.slots.items():
            for parameter in self.parameters:
                if parameter.name in of_parameters:
                    yield role, parameter.name, of_parameters[parameter.name]

    def copy(self) -> "OptimizerState":
        """A state of its own, with the same arrays."""
        copied = OptimizerState(
            self.class_name,
            self.hyperparameters,
            self.iterations,
            self.parameters,
            self.slots,
            self.scalars,
            self.provenance,
            self.notes,
        )
        copied.doubts = dict(self.doubts)
        copied.left_out = dict(self.left_out)
        copied.has_embeddings = self.has_embeddings
        copied.has_frozen_normalization = self.has_frozen_normalization
        copied.era_defaults = dict(self.era_defaults)
        copied.steps_in_rates = self.steps_in_rates
        copied.opened_file = self.opened_file
        copied.variables = dict(self.variables)
        copied.object_paths = dict(self.object_paths)
        return copied

    def __repr__(self) -> str:
        return (
            f"<OptimizerState {self.class_name}, iterations={self.iterations}, "
            f"{len(self.parameters)} parameters, slots: {', '.join(self.slots) or 'none'}>"
        )
