"""One result, however many threads: many runs of every optimizer on every path under load.

    python -m tests.reliability.determinism                  # 200 runs a case, some minutes
    python -m tests.reliability.determinism --runs 20 --optimizer Nadam --path sparse
    python -m tests.reliability.determinism --upstream       # upstream's own classes race

A case is an optimizer, a path and a number of inter-op threads. Each run of a case has a session of
its own, because TensorFlow gives ops to whichever thread is free only in a session's first steps.
Meanwhile other processes keep all cores busy, so that threads are interrupted anywhere.
"""

import argparse
import contextlib
import hashlib
import multiprocessing
import sys
import time

import numpy as np
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.training import CLASS_NAMES, configured, scalars_of, upstream

THREADS = (1, 2, 8, 32)
STEPS, SIZE = 5, 4


def dense_loss(parameters):
    """Each parameter's gradient contains a second read of its neighbour."""
    values = tf.constant(np.linspace(-1, 1, 3 * SIZE).reshape(3, SIZE), tf.float32)
    for parameter in parameters:
        values = tf.tanh(tf.matmul(values, parameter))
    neighbours = parameters[1:] + parameters[:1]
    return tf.reduce_sum(tf.square(values)) + 0.1 * tf.add_n(
        [tf.reduce_sum(tf.stop_gradient(a) * b) for a, b in zip(neighbours, parameters)]
    )


def sparse_loss(parameters):
    """The first parameter is looked up, some of its rows twice."""
    rows = tf.gather(parameters[0], [1, 3, 1, 0])
    return tf.reduce_sum(tf.square(rows)) + dense_loss(parameters[1:])


class Path:
    """A way on which a step is made.

    Attributes:
        arguments: of the optimizer, beside those of `CONFIGURATIONS`, which has decay.
        loss: of a list of square matrices.
        use_resource: whether the parameters are resource variables.
        needs: what must be there for it; a function without arguments.
    """

    def __init__(self, loss=dense_loss, use_resource=True, needs=lambda: True, **arguments):
        self.loss, self.use_resource, self.needs = loss, use_resource, needs
        self.arguments = arguments


def native_op_is_there():
    """Whether the native op can be had on this machine."""
    from keras_optimizers.lowering.native import library

    return library.load() is not None


PATHS = {
    "decay": Path(),
    "clipnorm": Path(clipnorm=0.1),
    "global_clipnorm": Path(global_clipnorm=0.1),
    "clipvalue": Path(clipvalue=0.05),
    "sparse": Path(sparse_loss),
    "ref variables": Path(use_resource=False),
    "fused": Path(fused=True),
    "fused, sparse": Path(sparse_loss, fused=True),
    "native": Path(needs=native_op_is_there, native=True),
    "native, sparse": Path(sparse_loss, needs=native_op_is_there, native=True),
}


class Training:
    """The updates of a few small matrices in a graph of their own."""

    def __init__(self, class_name, path, module):
        random = np.random.RandomState(5)
        self.graph = tf.Graph()
        with self.graph.as_default():
            parameters = [
                tf.Variable(
                    random.uniform(-1, 1, (SIZE, SIZE)).astype("float32"),
                    use_resource=path.use_resource,
                )
                for _ in range(3)
            ]
            loss = path.loss(parameters)
            optimizer = configured(class_name, module, **path.arguments)
            updates = optimizer.get_updates(loss, parameters)
            # Upstream's Nadam lists a pair where others have an op.
            self.updates = [tf.assign(*one) if isinstance(one, tuple) else one for one in updates]
            self.state = parameters + list(optimizer.weights)
            self.state += [
                one for one in scalars_of(optimizer) if not any(one is o for o in self.state)
            ]
            self.initializer = tf.global_variables_initializer()

    def result(self, threads):
        """The hash of the state after some steps in a new session."""
        config = tf.ConfigProto(
            inter_op_parallelism_threads=threads,
            intra_op_parallelism_threads=1,
            # The pool of the process has the size that its first session asked for.
            use_per_session_threads=True,
        )
        # The graph as it is: rewriting it takes most of a short session's time.
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        with tf.Session(graph=self.graph, config=config) as session:
            session.run(self.initializer)
            for _ in range(STEPS):
                session.run(self.updates)
            values = session.run(self.state)
        if not all(np.all(np.isfinite(value)) for value in values):
            raise ArithmeticError("NaN in every run would be one result, too")
        return hashlib.sha1(b"".join(value.tobytes() for value in values)).hexdigest()


def _spin(stop):
    while not stop.is_set():
        sum(range(10000))


@contextlib.contextmanager
def background_load(processes):
    """As many processes that do nothing but compute."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    running = [context.Process(target=_spin, args=(stop,), daemon=True) for _ in range(processes)]
    for one in running:
        one.start()
    try:
        yield
    finally:
        stop.set()
        for one in running:
            one.join(10)
            if one.is_alive():
                one.terminate()


def distinct_results(class_name, path_name, runs, threads=THREADS, module=keras_optimizers):
    """How many different results there are in `runs` runs, by number of threads, and in all."""
    training = Training(class_name, PATHS[path_name], module)
    by_threads = {n: {training.result(n) for _ in range(runs)} for n in threads}
    counts = {n: len(results) for n, results in by_threads.items()}
    return counts, len(set().union(*by_threads.values()))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200, help="of each case (%(default)s)")
    parser.add_argument("--optimizer", choices=CLASS_NAMES, action="append")
    parser.add_argument("--path", choices=sorted(PATHS), action="append")
    parser.add_argument("--load", type=int, default=2, help="busy processes (%(default)s)")
    parser.add_argument("--upstream", action="store_true", help="upstream's classes, to see races")
    options = parser.parse_args()
    tf.logging.set_verbosity(tf.logging.ERROR)
    module = upstream if options.upstream else keras_optimizers
    paths = options.path or (["decay"] if options.upstream else list(PATHS))
    cases = failed = 0
    started = time.time()
    with background_load(options.load):
        for path in paths:
            if not PATHS[path].needs():
                print("%s: cannot be had on this machine" % path, flush=True)
                continue
            for class_name in options.optimizer or CLASS_NAMES:
                counts, together = distinct_results(class_name, path, options.runs, module=module)
                cases += len(counts)
                wrong = sum(count != 1 for count in counts.values()) or together != 1
                failed += wrong
                if wrong:
                    print("%s, %s: distinct results by threads: %r" % (class_name, path, counts))
    print(
        "determinism: %d cases of %d runs under the load of %d processes, %d with more than one "
        "result, %d seconds" % (cases, options.runs, options.load, failed, time.time() - started),
        flush=True,
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
