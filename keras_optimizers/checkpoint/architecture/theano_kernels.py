"""Kernels in files of Keras on Theano, which convolves where other backends correlate.

The same layer has its kernel turned by 180 degrees there. Keras 2.0 to 2.3 turns kernels when it
loads a file of the other kind (and leaves their slots, so that its own training goes on otherwise).
"""

from typing import Any, List, NamedTuple, Optional, Sequence, Set, Tuple

from keras_optimizers.checkpoint.architecture.layers import Config, class_of, layer_order
from keras_optimizers.checkpoint.state import Array

_CONVOLUTIONS = (
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "Conv2DTranspose",
    "Conv3DTranspose",
    "ConvLSTM2D",
)
# Their kernels have three and more dimensions, too, and convolve nothing.
_OTHERS = ("LocallyConnected1D", "LocallyConnected2D")
# A separable layer's depthwise_kernel has the same orientation on all backends.
_KERNELS = ("kernel", "recurrent_kernel")


class Turned(Array):
    """The kernel of a convolution, or its slot, as backends have it that correlate."""

    def __init__(self, array: Array) -> None:
        spatial = (slice(None, None, -1),) * (len(array.shape) - 2)
        super().__init__(array.shape, array.dtype, lambda: array.read()[spatial])


class KernelLayers(NamedTuple):
    """Names under which kernels stand, of layers and of what is wrapped around them.

    Attributes:
        convolutions: of layers whose kernels Theano has turned.
        others: of layers with kernels of as many dimensions that it has not.
    """

    convolutions: Set[str]
    others: Set[str]


def kernel_layers(config: Optional[Config]) -> KernelLayers:
    """The layers of a model with kernels; none where it is not understood."""
    return KernelLayers(_named(config, _CONVOLUTIONS), _named(config, _OTHERS))


def _named(config: Optional[Config], classes: Sequence[str]) -> Set[str]:
    try:
        layers = layer_order(config or {})
    except (KeyError, TypeError, ValueError, AttributeError):
        return set()
    by_path = {layer.path: layer.name for layer in layers}
    found = set()
    for layer in layers:
        if class_of({"class_name": layer.class_name}) not in classes:
            continue
        path = layer.path
        found.add(layer.name)
        while path[-1] in ("layer", "backward_layer"):  # what is wrapped around it
            path = path[:-2]
            found.add(by_path[path])
    return found


def shifted_layers(config: Optional[Config]) -> List[str]:
    """The convolutions that pad on the other side on Theano: padding "same" of an even size."""
    found = []
    try:
        for layer in layer_order(config or {}):
            class_name = class_of({"class_name": layer.class_name})
            place: Any = config
            for step in layer.path:
                place = place[step]
            own = place["config"]
            # What a ConvLSTM2D keeps from step to step is always padded so.
            is_padded = own.get("padding") == "same" or class_name == "ConvLSTM2D"
            size = own.get("kernel_size")
            lengths = size if isinstance(size, (list, tuple)) else [size]
            if class_name in _CONVOLUTIONS and is_padded and any(n % 2 == 0 for n in lengths):
                found.append(layer.name)
    except (KeyError, TypeError, ValueError, AttributeError):
        return []
    return found


def is_turned(
    name: str, owner: str, shape: Tuple[int, ...], layers: KernelLayers
) -> Optional[bool]:
    """Whether a weight is the kernel of a convolution; None where that cannot be told.

    Arguments:
        name: of the weight, such as "conv2d_1/kernel:0".
        owner: the outermost layer that it belongs to.
    """
    *above, last = name.split(":")[0].split("/")
    # Keras numbers names that are taken: kernel_1.
    if last.rstrip("0123456789").rstrip("_") not in _KERNELS or len(shape) < 3:
        return False
    places = {owner, *above}
    if places & layers.convolutions:
        return True
    return False if places & layers.others else None
