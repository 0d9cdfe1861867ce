"""Modules and names of Keras 2 that have moved in the Keras of TensorFlow 2, where they were."""

import contextlib
import importlib
import sys
from typing import Any, Dict, Iterator, List, Tuple

from keras_optimizers.scripts.stand_in import StandIn, modules_below

# Modules of standalone Keras 2, by the public module that has their names now.
_FORMER_MODULES = {
    "layers": {
        "layers": [
            "advanced_activations",
            "convolutional",
            "core",
            "embeddings",
            "merge",
            "noise",
            "normalization",
            "pooling",
            "recurrent",
            "wrappers",
        ],
        "engine": ["base_layer", "input_layer", "topology"],
    },
    "losses": {"": ["objectives"]},
    "models": {"engine": ["network", "sequential", "training"]},
    "utils": {
        "utils": [
            "data_utils",
            "generic_utils",
            "io_utils",
            "layer_utils",
            "np_utils",
            "vis_utils",
        ],
    },
}
# A module, a name that is missing in it, and what the name means.
Addition = Tuple[Any, str, Any]


def standalone_keras(keras: Any, version: str) -> Dict[str, Any]:
    """The modules that scripts of standalone Keras 2 import, by name.

    Arguments:
        keras: the Keras 2 that belongs to this TensorFlow.
        version: of it, for the errors.
    """
    put = modules_below(keras, "keras")
    installed = sys.modules.get("keras")
    special: Dict[str, Any] = {"src": getattr(installed, "src", None)}
    for today, former in _FORMER_MODULES.items():
        module = getattr(keras, today)
        for parent, children in former.items():
            if not parent:
                special.update(dict.fromkeys(children, module))
                put.update((f"keras.{child}", module) for child in children)
                continue
            real = getattr(keras, parent, module)
            if parent not in special:
                special[parent] = StandIn(f"keras.{parent}", real, real, version, {})
            for child in children:
                special[parent].put(child, module)
                put[f"keras.{parent}.{child}"] = module
            put[f"keras.{parent}"] = special[parent]
    put["keras"] = StandIn("keras", keras, installed or keras, version, special)
    return put


def moved_names(keras: Any, source: Any) -> List[Addition]:
    """Names of TensorFlow 1's private Keras that only the public one has now."""
    name = f"{source.__name__}.preprocessing.sequence"
    with contextlib.suppress(ImportError, AttributeError):
        return [(importlib.import_module(name), "pad_sequences", keras.utils.pad_sequences)]
    return []


def names_of_standalone_keras(
    keras: Any, source: Any, optimizers: Dict[str, Any]
) -> List[Addition]:
    """Names of standalone Keras 2 that the Keras of TensorFlow 2 has not, or has otherwise."""
    compute = keras.backend.function

    def function(inputs: Any, outputs: Any, updates: Any = None, **more: Any) -> Any:
        """`K.function`, which in Keras 2.2 needs no outputs where there are updates."""
        if not updates or not isinstance(outputs, (list, tuple)) or len(outputs):
            return compute(inputs, outputs, updates, **more)
        placeholder = importlib.import_module("tensorflow.compat.v1").constant(0.0)
        run = compute(inputs, [placeholder], updates, **more)
        return lambda values: run(values)[1:]

    added: List[Addition] = [(keras.backend, "function", function)]
    for name in ("layers.merging.base_merge", "layers.merge"):
        with contextlib.suppress(ImportError, AttributeError):
            base = importlib.import_module(f"{source.__name__}.{name}")._Merge
            added.append((keras.layers, "_Merge", base))
            break
    known = vars(keras.optimizers)
    return added + [(keras.optimizers, *one) for one in optimizers.items() if one[0] not in known]


@contextlib.contextmanager
def names_added(additions: List[Addition]) -> Iterator[None]:
    """While this is entered, modules have these names; then those that they had before."""
    before = [(module, name, vars(module).get(name)) for module, name, _ in additions]
    for module, name, value in additions:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            if value is not None:
                setattr(module, name, value)
            elif hasattr(module, name):
                delattr(module, name)
