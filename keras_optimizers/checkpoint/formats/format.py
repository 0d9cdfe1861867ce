"""What a file format is to the rest of the package: functions that read and write, by name.

To add a format, write a module with a `FORMAT` (and, if it can be read, a `Reader` in it) and add
one line to `registry`.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from keras_optimizers.checkpoint.confirmation import differences
from keras_optimizers.checkpoint.eras.layout import Layout
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.report import Report
from keras_optimizers.checkpoint.state import OptimizerState

# Endings that promise a kind of file.
_PROMISING = (".h5", ".hdf5", ".keras", ".index", ".npz", ".pb")


class ReadRequest(NamedTuple):
    """What a reader is asked for.

    Attributes:
        path: of the file, or the prefix of a TensorFlow checkpoint.
        class_name: the optimizer's class, where the caller knows it.
        values: hyperparameters that the caller knows.
        candidates: gives the variables of a model in another file, None where there is no such
            file; for formats that tell neither the parameters' order nor which are trained.
        optimizer: the attributes that lead to the optimizer that is meant, where the file may hold
            several.
    """

    path: str
    class_name: Optional[str]
    values: Dict[str, Any]
    candidates: Callable[[], Optional[List[Candidate]]]
    optimizer: Optional[str] = None


class WriteRequest(NamedTuple):
    """What a writer is asked for.

    Attributes:
        state: as `fitting.fit` returns it for `layout`.
        path: where to.
        layout: of the format.
        report: gets what becomes of the model, and notes.
        source: a file whose model, and everything else, is carried over; None for none.
        progress: called with (bytes done, bytes in all); None for nobody.
        confirm: to be called with the finished file before it takes the name `path`.
        options: what only this format takes.
    """

    state: OptimizerState
    path: str
    layout: Layout
    report: Report
    source: Optional[str] = None
    progress: Optional[Callable[[int, int], None]] = None
    confirm: Optional[Callable[[str], None]] = None
    options: Dict[str, Any] = {}


class Reader(NamedTuple):
    """How files of one kind are read.

    Attributes:
        recognises: whether a path leads to such a file; it looks into the file, not at its name.
        read: the optimizer's state in it, without TensorFlow; raises `CheckpointError` where there
            is none.
    """

    recognises: Callable[[str], bool]
    read: Callable[[ReadRequest], OptimizerState]


def unchanged(state: OptimizerState, report: Report) -> OptimizerState:
    """The layout says all that the format can hold."""
    return state


class Format(NamedTuple):
    """A format that `--to` takes.

    Attributes:
        layout: what a state must fit; its name is the format's.
        write: writes a file that appears whole or not at all.
        adapt: the state as the format can hold it beyond what the layout says, with the report
            of what that changes; raises `NotRepresentable` where it cannot.
        endings: which of the usual endings a path may have.
        remedy: which ending to use, for the message about another.
        only_endings: whether a path must have one of `endings`.
        reader: of its files, where `registry` has none for them yet.
        options: the names of the options that only this format takes.
        differences: what a written file, read again, holds otherwise than was meant.
        needs_tensorflow: whether TensorFlow is imported for it.
    """

    layout: Layout
    write: Callable[[WriteRequest], None]
    adapt: Callable[[OptimizerState, Report], OptimizerState] = unchanged
    endings: Tuple[str, ...] = ()
    remedy: str = "Use another ending."
    only_endings: bool = False
    reader: Optional[Reader] = None
    options: Tuple[str, ...] = ()
    differences: Callable[..., List[str]] = differences
    needs_tensorflow: bool = False

    @property
    def name(self) -> str:
        """As `--to` takes it."""
        return self.layout.name

    @property
    def title(self) -> str:
        """What it is, for people."""
        return self.layout.title

    def check_options(self, options: Dict[str, Any]) -> None:
        """Refuse options that the format does not take.

        Raises:
            CheckpointError: If there is one.
        """
        for name, value in options.items():
            if name not in self.options:
                raise CheckpointError(f"{self.name} takes no {name}, received {value!r}.")

    def check_ending(self, path: str) -> None:
        """Refuse a path whose ending promises another kind of file.

        Raises:
            CheckpointError: If it does.
        """
        lower = path.lower()
        if lower.endswith(self.endings):
            return
        if self.only_endings or lower.endswith(_PROMISING):
            raise CheckpointError(f"Cannot write {path!r} for {self.name}. {self.remedy}")
