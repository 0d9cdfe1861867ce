"""The optimizers that are measured beside each other, built to make the same steps."""

from typing import Any, Callable, Dict, List, Optional

import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.tensorflow_private import HOST_OPTIMIZERS
from keras_optimizers.tensorflow_types import Tensor, Variable

UPSTREAM, OPTIMIZER_V2, TF_TRAIN, XLA = "upstream", "OptimizerV2", "tf.train", "upstream XLA"
EXACT, FUSED, NATIVE = "exact", "fused", "native"
OURS = (EXACT, FUSED, NATIVE)
# PyTorch's optimizers, in a process of another Python: see `torch_peers`.
TORCH_FOREACH, TORCH_FUSED = "torch foreach", "torch fused"
TORCH = (TORCH_FOREACH, TORCH_FUSED)
PEERS = (UPSTREAM, OPTIMIZER_V2, TF_TRAIN, XLA, *TORCH, *OURS)

# What is measured: the class and its arguments, which all peers take alike.
OPTIMIZERS: Dict[str, Any] = {
    "SGD": ("SGD", {}),
    "SGD momentum": ("SGD", {"momentum": 0.9}),
    "SGD Nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "RMSprop": ("RMSprop", {}),
    "Adagrad": ("Adagrad", {}),
    "Adadelta": ("Adadelta", {}),
    "Adam": ("Adam", {}),
    "AMSGrad": ("Adam", {"amsgrad": True}),
    "Adamax": ("Adamax", {}),
    "Nadam": ("Nadam", {}),
}

# Whole tensors that a step must read and write at least: the gradient, the parameter and the slots.
TENSORS_MOVED = {
    "SGD": 3,
    "SGD momentum": 5,
    "SGD Nesterov": 5,
    "RMSprop": 5,
    "Adagrad": 5,
    "Adadelta": 7,
    "Adam": 7,
    "AMSGrad": 9,
    "Adamax": 7,
    "Nadam": 7,
}


def _tf_train(name: str) -> Any:
    """The tf.train optimizer nearest to `name`; None where there is none."""
    train = tf.train
    return {
        "SGD": lambda: train.GradientDescentOptimizer(0.01),
        "SGD momentum": lambda: train.MomentumOptimizer(0.01, 0.9),
        "SGD Nesterov": lambda: train.MomentumOptimizer(0.01, 0.9, use_nesterov=True),
        "RMSprop": lambda: train.RMSPropOptimizer(0.001),
        "Adagrad": lambda: train.AdagradOptimizer(0.01),
        "Adadelta": lambda: train.AdadeltaOptimizer(1.0),
        "Adam": lambda: train.AdamOptimizer(),
    }.get(name)


def has(peer: str, name: str) -> bool:
    """Whether `peer` has the optimizer `name`."""
    return peer != TF_TRAIN or _tf_train(name) is not None


def make(peer: str, name: str) -> Any:
    """A new optimizer of `peer` in the default graph."""
    class_name, arguments = OPTIMIZERS[name]
    if peer == TF_TRAIN:
        factory = _tf_train(name)
        assert factory is not None
        return factory()
    if peer in OURS:
        more = {} if peer == EXACT else {peer: True}
        return getattr(keras_optimizers, class_name)(**dict(arguments, **more))
    # TensorFlow 1.15's copy of the original is the reference of all ratios.
    module = tf.keras.optimizers if peer == OPTIMIZER_V2 else HOST_OPTIMIZERS
    return getattr(module, class_name)(**arguments)


def step(
    peer: str,
    optimizer: Any,
    parameters: List[Variable],
    gradients: Optional[List[Any]] = None,
    loss: Optional[Tensor] = None,
) -> tf.Operation:
    """The op of one training step, from given gradients or from a loss."""
    if peer == TF_TRAIN:
        if gradients is not None:
            return optimizer.apply_gradients(list(zip(gradients, parameters)))
        return optimizer.minimize(loss, var_list=parameters)
    if gradients is not None:
        optimizer.get_gradients = lambda loss, params: gradients
    build: Callable[[], List[Any]] = lambda: optimizer.get_updates(  # noqa: E731
        tf.constant(0.0) if loss is None else loss, parameters
    )
    if peer == XLA:
        with tf.xla.experimental.jit_scope():
            return _together(build())
    return _together(build())


def _together(updates: List[Any]) -> tf.Operation:
    # Upstream lists some updates as (variable, value).
    return tf.group(*[tf.assign(*u) if isinstance(u, tuple) else u for u in updates])
