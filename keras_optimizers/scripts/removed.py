"""What TensorFlow 1 had and TensorFlow 2 has not, and what to use in its place."""

import linecache
import operator
import re
from types import TracebackType
from typing import Any, Callable, Optional, Tuple

# By the beginning of the name; the longest that fits counts.
REPLACEMENTS = {
    "tf.contrib.layers.xavier_initializer": "tf.glorot_uniform_initializer()",
    "tf.contrib.layers.xavier_initializer_conv2d": "tf.glorot_uniform_initializer()",
    "tf.contrib.layers.variance_scaling_initializer": "tf.variance_scaling_initializer(2.0)",
    "tf.contrib.layers.l1_regularizer": "tf.keras.regularizers.l1(scale)",
    "tf.contrib.layers.l2_regularizer": "tf.keras.regularizers.l2(0.5 * scale)",
    "tf.contrib.layers.fully_connected": "tf.layers.dense(x, units, tf.nn.relu)",
    "tf.contrib.layers.conv2d": 'tf.layers.conv2d(x, filters, size, padding="same", '
    "activation=tf.nn.relu)",
    "tf.contrib.layers.max_pool2d": "tf.layers.max_pooling2d(x, size, strides=2)",
    "tf.contrib.layers.dropout": "tf.layers.dropout(x, rate=1 - keep_prob, training=True): there "
    "it drops unless it is told is_training=False, here only with training=True",
    "tf.contrib.layers.flatten": "tf.layers.flatten",
    "tf.contrib.layers.batch_norm": "tf.layers.batch_normalization(x, momentum=0.999, "
    "epsilon=0.001, scale=False, training=True): there it trains unless it is told "
    "is_training=False, here only with training=True",
    "tf.contrib.layers.embed_sequence": "tf.nn.embedding_lookup",
    "tf.contrib.slim": "the package tf_slim (`pip install tf_slim`, `import tf_slim as slim`)",
    "tf.contrib.framework": "the package tf_slim (`pip install tf_slim`)",
    "tf.contrib.rnn.static_rnn": "tf.nn.static_rnn",
    "tf.contrib.rnn": "tf.nn.rnn_cell",
    "tf.contrib.cudnn_rnn": "tf.keras.layers.CuDNNLSTM or tf.keras.layers.CuDNNGRU",
    "tf.contrib.seq2seq": "the package tensorflow_addons, or TensorFlow 1.15",
    "tf.contrib.crf": "the package tensorflow_addons, or TensorFlow 1.15",
    "tf.contrib.data": "tf.data",
    "tf.contrib.distribute": "tf.distribute",
    "tf.contrib.eager": "graph mode: the optimizers build graphs",
    "tf.contrib.estimator": "tf.estimator, of TensorFlow 2.15 and earlier",
    "tf.contrib.keras": "tf.keras",
    "tf.contrib.learn": "tf.estimator, of TensorFlow 2.15 and earlier",
    "tf.contrib.lookup": "tf.lookup",
    "tf.contrib.losses": "tf.losses",
    "tf.contrib.metrics": "tf.metrics",
    "tf.contrib.opt.AdamWOptimizer": "TensorFlow 1.15, on Python 3.7, or a subclass of "
    "keras_optimizers.Adam that subtracts the decayed weights in update_rule (weights that decay "
    "in the loss are another method)",
    "tf.contrib.summary": "tf.summary",
    "tf.contrib.tensorboard": "tensorboard.plugins.projector (`pip install tensorboard`)",
    "tf.contrib.training.HParams": "a types.SimpleNamespace",
    "tf.contrib": "TensorFlow 1.15, on Python 3.7, which still has it",
    "tf.examples.tutorials.mnist": "tf.keras.datasets.mnist.load_data(), or for its batches the "
    "file input_data.py of TensorFlow 1, beside the script",
    "tf.examples": "TensorFlow 1.15, on Python 3.7, which still has it",
    "tf.estimator": "TensorFlow 2.15 (`pip install 'tensorflow==2.15.*'`), the last that has it",
    "tf.keras.estimator": "TensorFlow 2.15 (`pip install 'tensorflow==2.15.*'`), the last with it",
    "tf.keras.wrappers": "the package scikeras",
    "tf.keras.utils.multi_gpu_model": "tf.distribute.MirroredStrategy, or TensorFlow 1.15",
}

# Names of `tf.contrib` that were others of TensorFlow 1 by a second name, and what those are.
ALIASES = {
    "tf.contrib.rnn.static_rnn": "nn.static_rnn",
    "tf.contrib.rnn.static_state_saving_rnn": "nn.static_state_saving_rnn",
    "tf.contrib.rnn.static_bidirectional_rnn": "nn.static_bidirectional_rnn",
    "tf.contrib.rnn.BasicLSTMCell": "nn.rnn_cell.BasicLSTMCell",
    "tf.contrib.rnn.BasicRNNCell": "nn.rnn_cell.BasicRNNCell",
    "tf.contrib.rnn.DeviceWrapper": "nn.rnn_cell.DeviceWrapper",
    "tf.contrib.rnn.DropoutWrapper": "nn.rnn_cell.DropoutWrapper",
    "tf.contrib.rnn.GRUCell": "nn.rnn_cell.GRUCell",
    "tf.contrib.rnn.LSTMCell": "nn.rnn_cell.LSTMCell",
    "tf.contrib.rnn.LSTMStateTuple": "nn.rnn_cell.LSTMStateTuple",
    "tf.contrib.rnn.MultiRNNCell": "nn.rnn_cell.MultiRNNCell",
    "tf.contrib.rnn.RNNCell": "nn.rnn_cell.RNNCell",
    "tf.contrib.rnn.ResidualWrapper": "nn.rnn_cell.ResidualWrapper",
}


class RemovedError(Exception):
    """A script asks for what TensorFlow 2 does not have.

    Arguments:
        name: such as `tf.contrib.layers.flatten`.
        version: of the TensorFlow that is installed.
        what_helps: a sentence in place of what `remedy` says.
    """

    def __init__(self, name: str, version: str, what_helps: Optional[str] = None) -> None:
        owner = "The Keras of TensorFlow" if name.startswith("keras") else "TensorFlow"
        super().__init__(f"{owner} {version} has no {name}. {what_helps or remedy(name)}")


# Python's own errors, too: scripts that fall back to something else catch those.
class RemovedNameError(RemovedError, AttributeError):
    """As `RemovedError`, of a name that is looked up."""


class RemovedModuleError(RemovedError, ImportError):
    """As `RemovedError`, of a module that is imported."""


def remedy(name: str) -> str:
    """What to use in place of `name`, as a sentence."""
    is_of_keras = name.startswith("keras.")
    looked_up = ("tf." if is_of_keras else "") + name + "."
    fitting = [known for known in REPLACEMENTS if looked_up.startswith(known + ".")]
    if not fitting and is_of_keras:
        return "If Keras 2 has it, the script needs TensorFlow 1.15 and Keras 2.3, on Python 3.7."
    if not fitting:
        return "If TensorFlow 1 has it, the script needs TensorFlow 1.15, on Python 3.7."
    return f"Use {REPLACEMENTS[max(fitting, key=len)]}."


# What Python says of a name that is not there: the module and the name, by the kind of error.
_MISSING = (
    (AttributeError, re.compile(r"module '(?P<module>[\w.]+)' has no attribute '(?P<name>\w+)'")),
    (
        ImportError,
        re.compile(r"cannot import name '(?P<name>\w+)' from '(?P<module>[\w.]+)'(?: \(.*\))?"),
    ),
    (
        ImportError,
        re.compile(
            r"No module named '(?P<module>[\w.]+)\.(?P<name>\w+)'(?:; '.*' is not a package)?"
        ),
    ),
)


def explained(
    error: Exception,
    name_of: Callable[[str], Optional[str]],
    version: str,
    is_keras_asked_for: bool,
) -> Optional[RemovedError]:
    """The error for a name that is missing below `tensorflow` or `keras`; None for another error.

    Arguments:
        name_of: what scripts call a module, such as "tf.train"; None for a foreign module.
        is_keras_asked_for: whether `import keras` is meant to give standalone Keras 2.
    """
    if isinstance(error, RemovedError) or error.__cause__ is not None:
        return None
    for kind, text in _MISSING:
        found = text.fullmatch(str(error)) if isinstance(error, kind) else None
        called = name_of(found.group("module")) if found else None
        if found and called is not None:
            one = RemovedNameError if kind is AttributeError else RemovedModuleError
            needs_host = called.split(".")[0] == "keras" and not is_keras_asked_for
            what_helps = "A script of standalone Keras needs `run --host keras`."
            name = f"{called}.{found.group('name')}"
            return one(name, version, what_helps if needs_host else None)
    return None


class Removed:
    """Stands for a module that is gone, such as `tf.contrib`: whoever calls into it is told."""

    def __init__(self, name: str, version: str, tensorflow_1: Any) -> None:
        self._name, self._version, self._tensorflow_1 = name, version, tensorflow_1

    def __getattr__(self, name: str) -> Any:
        full_name = f"{self._name}.{name}"
        if name.startswith("__"):
            raise RemovedNameError(full_name, self._version)
        if full_name in ALIASES:
            return operator.attrgetter(ALIASES[full_name])(self._tensorflow_1)
        return Removed(full_name, self._version, self._tensorflow_1)

    def __call__(self, *arguments: Any, **keywords: Any) -> None:
        raise RemovedNameError(self._name, self._version)

    def __mro_entries__(self, bases: Tuple[Any, ...]) -> None:
        # `class Cell(tf.contrib.rnn.RNNCell):`
        raise RemovedNameError(self._name, self._version)

    def __repr__(self) -> str:
        return f"<{self._name}, which TensorFlow {self._version} does not have>"


def place(traceback: Optional[TracebackType], own: Tuple[str, ...]) -> str:
    """The innermost line of a script's code, such as "train.py, line 3: `x = tf.contrib...`".

    Arguments:
        traceback: of the error.
        own: beginnings of file names that are not the script's: this package and the library.
    """
    found = ""
    while traceback is not None:
        file, number = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        if not file.startswith(own) and not file.startswith("<"):
            line = linecache.getline(file, number).strip()
            found = f"{file}, line {number}: `{line}`"
        traceback = traceback.tb_next
    return found
