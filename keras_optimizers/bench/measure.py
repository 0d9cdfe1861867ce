"""One step of each peer, built and measured beside the others."""

import gc
import time
from typing import Any, Callable, Dict, List, Optional, Sequence

import tensorflow.compat.v1 as tf

from keras_optimizers.bench import peers, torch_peers
from keras_optimizers.bench.cases import Case, make_gradients
from keras_optimizers.bench.timing import Seconds, in_turn, timed

# Of all sessions; 0: as many as there are cores.
THREADS = 0


def session_config() -> tf.ConfigProto:
    """The configuration of the sessions that are measured."""
    return tf.ConfigProto(
        allow_soft_placement=True,
        intra_op_parallelism_threads=THREADS,
        inter_op_parallelism_threads=THREADS,
    )


class Built:
    """One peer's step in a graph and a session of its own."""

    def __init__(self, peer: str, name: str, case: Case, gradients: Sequence[Any]) -> None:
        self.graph = tf.Graph()
        with self.graph.as_default():
            parameters = [
                tf.Variable(tf.fill(shape, 0.1), use_resource=True) for shape in case.shapes
            ]
            # Gradients come at no cost: constants or, large, variables, which are not copied.
            placeholders, given, held = [], [], []
            for gradient in gradients:
                values, rows = gradient if case.batch else (gradient, None)
                if rows is None and values.size <= 1024:
                    given.append(tf.constant(values))
                    continue
                holder = tf.placeholder(tf.float32, values.shape)
                kept = tf.Variable(holder, use_resource=True, trainable=False)
                placeholders.append((holder, values))
                held.append(kept)
                value = kept.read_value()
                if rows is not None:
                    value = tf.IndexedSlices(value, tf.constant(rows), tf.constant(case.shapes[0]))
                given.append(value)
            started = time.perf_counter()
            before = len(self.graph.get_operations())
            optimizer = peers.make(peer, name)
            self.step = peers.step(peer, optimizer, parameters, gradients=given)
            self.build_seconds = time.perf_counter() - started
            self.graph_ops = len(self.graph.get_operations()) - before
            initializer = tf.global_variables_initializer()
            self.session = tf.Session(config=session_config())
            self.session.run(initializer, dict(placeholders))
        self._run = self.session.make_callable(self.step)
        started = time.perf_counter()
        self._run()
        self.first_step_seconds = time.perf_counter() - started

    def run(self) -> Seconds:
        """One step."""
        return timed(self._run)

    def close(self) -> None:
        """Free the session's memory."""
        self.session.close()


class Bandwidth:
    """The best plain loop in place, `a += s * b` on all cores: what the memory gives."""

    def __init__(self, case: Case) -> None:
        self.bytes_moved = 3 * 4 * case.size
        with tf.Graph().as_default():
            ops = []
            for shape in case.shapes:
                a, b = (tf.Variable(tf.fill(shape, 0.1), use_resource=True) for _ in "ab")
                ops.append(
                    tf.raw_ops.ResourceApplyGradientDescent(
                        var=a.handle, alpha=tf.constant(1e-6), delta=b.read_value()
                    )
                )
            self._op = tf.group(*ops)
            self.session = tf.Session(config=session_config())
            self.session.run(tf.global_variables_initializer())
        self._run = self.session.make_callable(self._op)
        self._run()

    def run(self) -> Seconds:
        """One pass."""
        return timed(self._run)

    def close(self) -> None:
        """Free the session's memory."""
        self.session.close()


def measure_case(
    case: Case,
    optimizers: Sequence[str],
    chosen: Sequence[str],
    rounds: Optional[int] = None,
    tick: Callable[[], None] = lambda: None,
) -> List[Dict[str, Any]]:
    """One record for each optimizer: timings, graph ops, build and first step, by peer."""
    gradients = make_gradients(case)
    records = []
    for name in optimizers:
        built = {
            p: Built(p, name, case, gradients)
            for p in chosen
            if p not in peers.TORCH and peers.has(p, name)
        }
        runners: Dict[str, Any] = dict(built)
        others = [p for p in chosen if p in peers.TORCH and torch_peers.has(p, name, case)]
        for peer in others:
            runners[peer] = torch_peers.Peer(peer, name, gradients, THREADS)
        # Of small tensors the start of the ops is measured, not the memory.
        bandwidth = None if case.batch or case.size < 10**6 else Bandwidth(case)
        if bandwidth is not None:
            runners["bandwidth"] = bandwidth
        timings = in_turn(runners, rounds or case.rounds, tick)
        record: Dict[str, Any] = {
            "optimizer": name,
            "milliseconds": {p: timings[p]._asdict() for p in [*built, *others]},
            "graph_ops": {p: one.graph_ops for p, one in built.items()},
            "build_seconds": {p: one.build_seconds for p, one in built.items()},
            "first_step_seconds": {p: one.first_step_seconds for p, one in built.items()},
        }
        if bandwidth is not None:
            record["bandwidth_gigabytes_per_second"] = (
                bandwidth.bytes_moved / timings["bandwidth"].median / 1e6
            )
            for key, clock in (("bandwidth_share", "median"), ("bandwidth_share_cpu", "cpu")):
                plain = getattr(timings["bandwidth"], clock)
                at_least = peers.TENSORS_MOVED[name] / 3 * plain
                record[key] = {p: at_least / getattr(timings[p], clock) for p in [*built, *others]}
        for runner in runners.values():
            runner.close()
        del built, runners, runner, bandwidth
        gc.collect()  # a session's variables are freed with the session, which is in cycles
        records.append(record)
    return records
