"""Configs that make Keras run Python code of the file when it loads a model.

The converter never runs what is in a file. Where it lets Keras load a model, this is asked first.
"""

from typing import Any, Iterator, Optional, Tuple

from keras_optimizers.checkpoint.errors import CheckpointError

# Layers and functions that are saved as Python code, and what makes functions of code.
_CODE = ("Lambda", "__lambda__", "lambda", "func_load")
# Layers that call a function of TensorFlow by its name. Some functions of TensorFlow load libraries
# or remove files when they are called; those below only add ops to a graph.
_CALLS = ("TFOpLambda", "SlicingOpLambda", "ClassMethod")
_PURE_GROUPS = (
    "__operators__",
    "bitwise",
    "image",
    "keras.activations",
    "linalg",
    "math",
    "nn",
    "signal",
)
_NAMES = (
    "RaggedTensor boolean_mask broadcast_to cast clip_by_value concat convert_to_tensor einsum "
    "expand_dims fill gather gather_nd identity norm one_hot ones ones_like pad range rank repeat "
    "reshape reverse roll sequence_mask shape size slice split squeeze stack stop_gradient "
    "strided_slice tensordot tile transpose unstack where zeros zeros_like"
)
_PURE = frozenset(_NAMES.split())
_V1 = "compat.v1."
# Where Keras may look up a class by the name of its module.
_OWN_MODULES = ("keras", "tf_keras", "builtins")


def check_runs_no_code(config: Any, path: str) -> None:
    """Refuse the config of a model, or of its training, that brings code with it.

    Arguments:
        config: from JSON.
        path: for the message.

    Raises:
        CheckpointError: If loading the model would run code that the file chooses.

    Examples:
        >>> from keras_optimizers.checkpoint.architecture.code_in_configs import check_runs_no_code
        >>> check_runs_no_code({"class_name": "Dense", "config": {"units": 3}}, "model.h5")
        >>> check_runs_no_code({"class_name": "Lambda", "config": {"name": "twice"}}, "model.h5")
        Traceback (most recent call last):
        ...
        keras_optimizers.checkpoint.errors.CheckpointError: For this format TensorFlow has to load \
the model of 'model.h5', and would run code that the file brings: Lambda 'twice'. In your own \
program save its objects with model.save_weights, in TensorFlow's format, and convert those.
    """
    for name, what in _of_code(config):
        shown = f"{what} {name!r}" if name else what
        raise CheckpointError(
            f"For this format TensorFlow has to load the model of {path!r}, and would run code "
            f"that the file brings: {shown}. In your own program save its objects with "
            "model.save_weights, in TensorFlow's format, and convert those."
        )


def _of_code(config: Any) -> Iterator[Tuple[Optional[str], str]]:
    """(name, what it is) of everything in a config that runs code."""
    waiting = [config]
    while waiting:  # no recursion: configs may be nested deeply
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        if not isinstance(one, dict):
            continue
        waiting += one.values()
        what = _what_runs(one)
        if what:
            held = one.get("config")
            name = held.get("name") if isinstance(held, dict) else None
            yield (name if isinstance(name, str) else None), what


def _what_runs(one: Any) -> Optional[str]:
    """What an object in a config runs, for people; None for nothing."""
    class_name, module, held = (one.get(key) for key in ("class_name", "module", "config"))
    if class_name in _CODE or one.get("function_type") == "lambda":
        return str(class_name or "lambda")
    if isinstance(module, str) and module.split(".")[0] not in _OWN_MODULES:
        return f"an object of the module {module!r}"
    if class_name in _CALLS:
        function = held.get("function", held.get("cls_symbol")) if isinstance(held, dict) else None
        if not _is_pure(function):
            return f"{class_name} of {function!r}"
    return None


def _is_pure(function: Any) -> bool:
    """Whether a function of TensorFlow only adds ops to a graph."""
    if not isinstance(function, str):
        return False
    name = function[len(_V1) :] if function.startswith(_V1) else function
    group, dot, _ = name.rpartition(".")
    return group in _PURE_GROUPS if dot else name in _PURE
