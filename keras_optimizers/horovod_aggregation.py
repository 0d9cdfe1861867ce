"""Horovod's aggregation of gradients over several batches: which batches make a step.

Horovod's `DistributedOptimizer(..., backward_passes_per_step=n)` puts an aggregator into the class
that it derives from ours. The aggregator hands over gradients with every batch, but only those of
every n-th batch are sums that all workers share. The others must not be applied.
"""

from typing import Any, Callable, List

import tensorflow.compat.v1 as tf


def when_gradients_are_complete(
    optimizer: Any, build: Callable[[], List[tf.Operation]]
) -> List[tf.Operation]:
    """The ops that `build()` makes, or one op that runs them where the gradients are complete.

    Call it under control dependencies on all gradients: the aggregator's count of batches is back
    at zero once it has handed out a sum.
    """
    aggregator = getattr(optimizer, "_agg_helper", None)  # private: Horovod has no public name
    if aggregator is None:
        return build()
    complete = tf.equal(aggregator.counter.read_value(), 0)
    stepped = tf.cond(complete, lambda: tf.group(*build()), tf.no_op)
    return [getattr(stepped, "op", stepped)]
