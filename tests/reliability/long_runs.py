"""A million steps in one graph, and thousands of optimizers that are made and discarded.

    python -m tests.reliability.long_runs                        # some minutes
    python -m tests.reliability.long_runs --steps 20000 --cycles 50

Steps: a loop in the graph (`tf.while_loop`) makes a thousand steps a call with the very ops that
`get_updates` has made in its body, because a call of the session costs more than a small step.
After each call the weights are read and written, the config is made and the learning rate is
changed. Every tenth time fifty calls make a step each instead.
"""

import argparse
import gc
import os
import sys
import time
import weakref

import numpy as np
import tensorflow.compat.v1 as tf

from tests.training import CLASS_NAMES, K, configured

IN_LOOP = 1000


def resident_bytes():
    """The memory of this process that is in use."""
    with open("/proc/self/statm") as opened:
        return int(opened.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Training:
    """A small parameter under an optimizer, whose steps a loop in the graph makes."""

    def __init__(self, class_name, **more):
        self.optimizer = configured(class_name, **more)
        self.parameter = K.variable(np.linspace(-1, 1, 6).reshape(2, 3), name="kernel")
        self.count = tf.placeholder_with_default(np.int64(IN_LOOP), ())

        def body(index):
            loss = tf.reduce_sum(tf.square(self.parameter))
            with tf.control_dependencies(self.optimizer.get_updates(loss, [self.parameter])):
                return index + 1

        # One after the other: a step begins when the one before has ended.
        self.loop = tf.while_loop(
            lambda index: index < self.count,
            body,
            [tf.constant(0, tf.int64)],
            parallel_iterations=1,
            back_prop=False,
        )

    def in_loop(self, steps):
        """Make some steps in one call."""
        made = K.get_session().run(self.loop, {self.count: steps})
        assert made == steps

    def by_session(self, steps):
        """Make each step by a call of the session."""
        for _ in range(steps):
            self.in_loop(1)


def interleave(optimizer, number):
    """What a callback does between two calls; the steps that follow must not notice."""
    weights = optimizer.get_weights()
    optimizer.set_weights(weights)
    for one, other in zip(weights, optimizer.get_weights()):
        assert one.tobytes() == other.tobytes()
    config = optimizer.get_config()
    assert config["lr"] == np.float32(K.get_value(optimizer.lr))
    K.set_value(optimizer.lr, 1e-3 / (1 + number % 7))


def problems_of_many_steps(class_name, steps, in_loop=IN_LOOP, **more):
    """What went wrong in `steps` steps: a list of texts; and the growth of memory in bytes."""
    K.clear_session()
    training = Training(class_name, **more)
    graph, optimizer = tf.get_default_graph(), training.optimizer
    done, number, found, ops, memory = 0, 0, [], 0, 0
    warm = max(in_loop, steps // 10)
    while done < steps:
        if number % 10 == 9:
            now = min(50, steps - done)
            training.by_session(now)
        else:
            now = min(in_loop, steps - done)
            training.in_loop(now)
        done, number = done + now, number + 1
        interleave(optimizer, number)
        counted = K.get_value(optimizer.iterations)
        if counted != done:
            found.append("%d steps, iterations %d" % (done, counted))
            break
        if not ops:
            ops = len(graph.get_operations())
        if not memory and done >= warm and number > 20:
            gc.collect()
            memory = resident_bytes()
    gc.collect()
    growth = resident_bytes() - memory if memory else 0
    if len(graph.get_operations()) != ops:
        found.append("the graph has grown by %d ops" % (len(graph.get_operations()) - ops))
    if growth > LARGEST_GROWTH:
        found.append("memory has grown by %d bytes" % growth)
    for weight in [*optimizer.get_weights(), K.get_value(training.parameter)]:
        if not np.all(np.isfinite(weight)):
            found.append("a weight is not finite")
    return found, growth


# A process takes some memory at times that it keeps; a leak of 100 bytes a step would be 100 MB.
LARGEST_GROWTH = 16 << 20


def cycle(class_name, number):
    """Make, train and discard an optimizer; weak references to what must be collected."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        K.set_session(session)
        parameter = tf.get_variable("kernel", initializer=np.ones((3, 2), "f"), use_resource=True)
        optimizer = configured(class_name, fused=number % 3 == 1)
        rows = tf.gather(parameter, [0, 2]) if number % 2 else parameter
        updates = optimizer.get_updates(tf.reduce_sum(tf.square(rows)), [parameter])
        session.run(tf.global_variables_initializer())
        session.run(updates)
        optimizer.set_weights(optimizer.get_weights())
        optimizer.get_config()
    K.clear_session()
    return [weakref.ref(one) for one in (graph, session, optimizer)]


def problems_of_cycles(cycles):
    """What is left after `cycles` optimizers were discarded: a list of texts; growth in bytes."""
    found, memory, alive = [], 0, []
    for number in range(cycles):
        alive += cycle(CLASS_NAMES[number % len(CLASS_NAMES)], number)
        if number % 50 == 49:
            gc.collect()
            alive = [one for one in alive if one() is not None]
            if number >= max(49, cycles // 5) and not memory:
                memory = resident_bytes()
    gc.collect()
    left = [type(one()).__name__ for one in alive if one() is not None]
    if left:
        found.append("not collected: %s" % sorted(left))
    growth = resident_bytes() - memory if memory else 0
    if growth > LARGEST_GROWTH:
        found.append("memory has grown by %d bytes" % growth)
    return found, growth


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=1000000, help="of each optimizer")
    parser.add_argument("--cycles", type=int, default=3000)
    parser.add_argument("--optimizer", choices=CLASS_NAMES, action="append")
    options = parser.parse_args()
    tf.logging.set_verbosity(tf.logging.ERROR)
    failed = 0
    for class_name in options.optimizer or CLASS_NAMES:
        started = time.time()
        found, growth = problems_of_many_steps(class_name, options.steps)
        failed += bool(found)
        print(
            "%s: %d steps, memory %+.1f MB, %d s %s"
            % (class_name, options.steps, growth / 1e6, time.time() - started, "; ".join(found)),
            flush=True,
        )
    if options.cycles:
        found, growth = problems_of_cycles(options.cycles)
        failed += bool(found)
        print(
            "create, train, discard: %d cycles, memory %+.1f MB %s"
            % (options.cycles, growth / 1e6, "; ".join(found)),
            flush=True,
        )
    print("long runs: %d failures" % failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
