"""Kernels in files of Keras on Theano, which convolves where other backends correlate.

The same layer has its kernel turned by 180 degrees there. Keras 2 turns kernels when it loads a
file of the other kind (and leaves their slots, so that its own training goes on otherwise).
"""

from typing import Optional, Set, Tuple

from keras_optimizers.checkpoint.architecture.layers import Config, class_of, layer_order
from keras_optimizers.checkpoint.state import Array

_TURNED = (
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "Conv2DTranspose",
    "Conv3DTranspose",
    "ConvLSTM2D",
    "ConvRecurrent2D",
)
_KERNELS = ("kernel", "recurrent_kernel")


def turned_layers(config: Optional[Config]) -> Set[str]:
    """The names under which weights of convolutions stand: the layers', and their wrappers'.

    Empty where the model is not understood.
    """
    found: Set[str] = set()
    try:
        layers = layer_order(config or {})
    except (KeyError, TypeError, ValueError, AttributeError):
        return found
    for layer in layers:
        if class_of({"class_name": layer.class_name}) not in _TURNED:
            continue
        for other in layers:
            inside = layer.path[len(other.path) :]
            around = layer.path[: len(other.path)] == other.path
            if around and all(step in ("config", "layer", "backward_layer") for step in inside):
                found.add(other.name)
    return found


def is_turned(name: str, owner: str, shape: Tuple[int, ...], layers: Set[str]) -> bool:
    """Whether a weight is the kernel of a convolution.

    Arguments:
        name: of the weight, such as "conv2d_1/kernel".
        owner: the outermost layer that it belongs to.
        layers: as `turned_layers` returns them.
    """
    *above, last = name.split(":")[0].split("/")
    # Keras numbers names that are taken: kernel_1.
    is_kernel = last.rstrip("0123456789").rstrip("_") in _KERNELS
    return is_kernel and len(shape) >= 3 and bool(layers & {owner, *above})


def turned(array: Array) -> Array:
    """The kernel of a convolution for a backend that correlates, or the other way round."""
    spatial = (slice(None, None, -1),) * (len(array.shape) - 2)
    return Array(array.shape, array.dtype, lambda: array.read()[spatial])
