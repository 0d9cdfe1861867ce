"""The wrapper that makes a `tf.train` optimizer usable as a Keras one."""

from typing import Any, Dict, List, Optional, Sequence, Tuple  # noqa: F401 (type comments)

import tensorflow.compat.v1 as tf

from keras_optimizers import hosts
from keras_optimizers.base import Optimizer
from keras_optimizers.older_call import accepts_the_older_call
from keras_optimizers.tensorflow_private import (
    HostTFOptimizer,
    track_tf_optimizer,
    track_variable,
)
from keras_optimizers.tensorflow_types import Tensor, Variable  # noqa: F401 (type comments)
from keras_optimizers.variables import is_variable

_REMEDY = (
    "A TFOptimizer wraps a live tf.train optimizer, whose state and arguments it cannot list. "
    "Save its variables with `tf.train.Saver`, and make it anew in code."
)


class TFOptimizer(Optimizer, HostTFOptimizer):
    """Wraps an optimizer of `tf.train`, for example `tf.train.AdamOptimizer(1e-3)`.

    The wrapped optimizer computes, applies and keeps everything, and counts `iterations`.

    Arguments:
        optimizer: a `tf.train.Optimizer`.
        iterations: int64 scalar variable that counts the steps, such as the global step of an
            estimator. None: a new one.

    Reference: `TFOptimizer` of tensorflow/python/keras/optimizers.py, r1.10; `iterations` is
    from the copy in TensorFlow 1.15.

    Examples:
        >>> import tensorflow.compat.v1 as tf
        >>> from keras_optimizers import TFOptimizer
        >>> weight = tf.get_variable("weight", initializer=1.0, use_resource=True)
        >>> optimizer = TFOptimizer(tf.train.GradientDescentOptimizer(0.1))
        >>> step = tf.group(*optimizer.get_updates(weight * weight, [weight]))
        >>> with tf.Session() as session:
        ...     session.run(tf.global_variables_initializer())
        ...     session.run(step)
        ...     print(session.run([weight, optimizer.iterations]))
        [0.8, 1]
    """

    def __init__(self, optimizer, iterations=None):
        # type: (Any, Optional[Variable]) -> None
        # Not the base's constructor: this class takes no clipping and has no `weights` to set. The
        # wrapped optimizer works in eager execution, too; nothing here depends on graphs.
        self._host, self._renamed, self._created = hosts.current(), {}, {}
        self.optimizer = optimizer
        self.updates = []
        if iterations is not None:
            self.iterations = iterations
        else:
            self._create_scalars(iterations=0)
        # The names under which object-based checkpoints (`save_weights`) hold the state.
        for name, held in (("optimizer", optimizer), ("global_step", self.iterations)):
            self._track_trackable(held, name=name)
        track_tf_optimizer(self)
        self._track_what_is_held()

    def apply_gradients(self, grads):
        # type: (Sequence[Tuple[Tensor, Variable]]) -> Any
        """The op that applies (gradient, variable) pairs and counts a step."""
        return self.optimizer.apply_gradients(grads, global_step=self.iterations)

    def get_grads(self, loss, params):
        # type: (Tensor, Sequence[Variable]) -> List[Tuple[Tensor, Variable]]
        """The (gradient, variable) pairs that the wrapped optimizer computes."""
        if self._host.passes_variables_by_name:
            return self.optimizer.compute_gradients(loss, var_list=params)
        return self.optimizer.compute_gradients(loss, params)

    @accepts_the_older_call
    def get_updates(self, loss, params):
        # type: (Tensor, Sequence[Variable]) -> List[Any]
        """Ops that make one training step when run; sets `updates`.

        Under a `tf.distribute` strategy the step counts the global step, and empty `params` mean
        all trainable variables; otherwise empty `params` only count a step.
        """
        if tf.distribute.has_strategy():
            pairs = self.optimizer.compute_gradients(loss, params or None)
            step = tf.train.get_global_step()
            self.updates = [self.optimizer.apply_gradients(pairs, global_step=step)]
        elif not params:
            self.updates = [self.iterations.assign_add(1, read_value=False)]
        else:
            self.updates = [self.apply_gradients(self.get_grads(loss, params))]
            self._track_what_is_held()
        return list(self.updates)

    def _track_what_is_held(self) -> None:
        """Make the host initialize what the wrapped optimizer's own `variables()` leaves out.

        Such as the scale of the loss and the slots where the wrapped optimizer, that of
        `enable_mixed_precision_graph_rewrite`, itself wraps another.
        """
        waiting, seen = [self.optimizer], set()
        while waiting:
            held = waiting.pop()
            if id(held) in seen:
                continue
            seen.add(id(held))
            if is_variable(held):
                track_variable(held)
                continue
            waiting += [one.ref for one in getattr(held, "_checkpoint_dependencies", ())]
            if held is not self.optimizer and isinstance(held, tf.train.Optimizer):
                waiting += held.variables()

    def listed_variables(self) -> Dict[str, Any]:
        """None beside the wrapped optimizer and `iterations`, which are tracked by name."""
        return {}

    @property
    def weights(self):  # type: ignore[override]
        # type: () -> Any
        """Not available: the wrapped optimizer keeps its state to itself."""
        raise NotImplementedError(f"TFOptimizer has no `weights`. {_REMEDY}")

    def get_config(self):
        # type: () -> Dict[str, Any]
        """Not available: the wrapped optimizer cannot say how it was made."""
        raise NotImplementedError(f"TFOptimizer has no `get_config`. {_REMEDY}")

    def from_config(self, config):  # type: ignore[override]
        # type: (Dict[str, Any]) -> Any
        """Not available: a config cannot describe the wrapped optimizer."""
        raise NotImplementedError(f"TFOptimizer has no `from_config`. {_REMEDY}")
