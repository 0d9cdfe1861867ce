"""What else is measured: start-up, state, memory, lookups by vocabulary, and real training."""

import gc
from typing import Any, Callable, Dict, List, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.bench import peers
from keras_optimizers.bench.cases import CASES, VOCABULARIES, make_gradients, vocabulary_case
from keras_optimizers.bench.measure import Built, measure_case, session_config
from keras_optimizers.bench.timing import Seconds, in_turn, timed

Record = Dict[str, Any]
Tick = Callable[[], None]

# How many tensors the graphs have whose start is measured.
_START_TENSORS = (160, 2000)
_STATE_TENSORS = 1000
# Examples of the text model's epoch.
_EPOCH = 512


def _here(chosen: Sequence[str], name: str) -> List[str]:
    """The peers in this process that have the optimizer `name`."""
    return [peer for peer in chosen if peer not in peers.TORCH and peers.has(peer, name)]


def measure_start(optimizers: Sequence[str], chosen: Sequence[str], tick: Tick) -> List[Record]:
    """Graph ops, seconds to build them and to run the first step: 160 and 2,000 tensors."""
    records = []
    for count in _START_TENSORS:
        case = CASES["small"]._replace(shapes=[(16, 16)] * count)
        gradients = make_gradients(case)
        for name in optimizers:
            built = {p: Built(p, name, case, gradients) for p in _here(chosen, name)}
            records.append(
                {
                    "tensors": count,
                    "optimizer": name,
                    "graph_ops": {p: one.graph_ops for p, one in built.items()},
                    "build_seconds": {p: one.build_seconds for p, one in built.items()},
                    "first_step_seconds": {p: one.first_step_seconds for p, one in built.items()},
                }
            )
            for one in built.values():
                one.close()
            del built, one
            gc.collect()  # graphs of 2,000 tensors take gigabytes; they are in cycles
            tick()
    return records


class _State:
    """Reading or writing all the weights of an optimizer, the way of one peer."""

    def __init__(self, peer: str, write: bool) -> None:
        self._graph = tf.Graph()
        with self._graph.as_default():
            parameters = [
                tf.Variable(tf.zeros([16, 16]), use_resource=True) for _ in range(_STATE_TENSORS)
            ]
            self._optimizer = peers.make(peer, "Adamax")
            gradients = [tf.zeros([16, 16])] * _STATE_TENSORS
            peers.step(peer, self._optimizer, parameters, gradients=gradients)
            self._session = tf.Session(config=session_config())
            self._session.run(tf.global_variables_initializer())
            self._write = write
            with self._session.as_default():
                self._weights = self._optimizer.get_weights()

    def run(self) -> Seconds:
        """One call."""
        with self._graph.as_default(), self._session.as_default():
            if self._write:
                return timed(lambda: self._optimizer.set_weights(self._weights))
            return timed(self._optimizer.get_weights)


def measure_state(chosen: Sequence[str], tick: Tick, rounds: int = 5) -> List[Record]:
    """Milliseconds of `get_weights` and `set_weights` with 2,000 slots: Adamax, 1,000 tensors."""
    records = []
    with_state = [p for p in chosen if p in (peers.UPSTREAM, peers.OPTIMIZER_V2, *peers.OURS)]
    for call, write in (("get_weights", False), ("set_weights", True)):
        timings = in_turn({p: _State(p, write) for p in with_state}, rounds, tick)
        records.append({"call": call, "milliseconds": {p: t._asdict() for p, t in timings.items()}})
    return records


def measure_memory(optimizers: Sequence[str], chosen: Sequence[str], tick: Tick) -> List[Record]:
    """Peak of temporary memory in a step of 25 M parameters, by TensorFlow's own accounting."""
    case = CASES["large"]
    gradients = make_gradients(case)
    records = []
    for name in optimizers:
        peaks = {}
        for peer in _here(chosen, name):
            one = Built(peer, name, case, gradients)
            peaks[peer] = _peak_megabytes(one)
            one.close()
            tick()
        records.append({"optimizer": name, "peak_megabytes": peaks})
    return records


def _peak_megabytes(one: Built) -> float:
    """The most that a step holds beside the variables: allocations and their ends, in order."""
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    metadata = tf.RunMetadata()
    one.session.run(one.step, options=options, run_metadata=metadata)
    events = []
    for device in metadata.step_stats.dev_stats:
        for node in device.node_stats:
            for used in node.memory:
                for record in used.allocation_records:
                    events.append((record.alloc_micros, record.alloc_bytes))
    held = most = 0
    for _, change in sorted(events):
        held += change
        most = max(most, held)
    return most / 1e6


def measure_vocabulary(
    optimizers: Sequence[str], chosen: Sequence[str], tick: Tick, rounds: int = 7
) -> List[Record]:
    """Milliseconds of a lookup's update by the number of rows of the table."""
    records = []
    for rows in VOCABULARIES:
        for record in measure_case(vocabulary_case(rows), optimizers, chosen, rounds, tick):
            records.append(
                {
                    "rows": rows,
                    "optimizer": record["optimizer"],
                    "milliseconds": record["milliseconds"],
                }
            )
    return records


class _Training:
    """One epoch of `model.fit` on data made up once: an embedding, an LSTM and dense layers."""

    def __init__(self, peer: str, name: str) -> None:
        self._graph = tf.Graph()
        random = np.random.RandomState(0)
        self._words = random.randint(0, 20000, size=(_EPOCH, 20))
        self._labels = random.randint(0, 2, size=(_EPOCH, 1))
        with self._graph.as_default():
            self._session = tf.Session(config=session_config())
            tf.keras.backend.set_session(self._session)
            layers = tf.keras.layers
            self._model = tf.keras.Sequential(
                [
                    layers.Embedding(20000, 64, input_length=20),
                    layers.LSTM(32),
                    layers.Dense(64, activation="relu"),
                    layers.Dense(1, activation="sigmoid"),
                ]
            )
            self._model.compile(peers.make(peer, name), "binary_crossentropy")

    def run(self) -> Seconds:
        """One epoch."""
        with self._graph.as_default():
            tf.keras.backend.set_session(self._session)
            return timed(
                lambda: self._model.fit(self._words, self._labels, batch_size=64, verbose=0)
            )


def measure_fit(
    optimizers: Sequence[str], chosen: Sequence[str], tick: Tick, rounds: int = 7
) -> List[Record]:
    """Milliseconds of an epoch of 8 batches of a small text model, everything included."""
    with_compile = [p for p in chosen if p not in (peers.TF_TRAIN, peers.XLA, *peers.TORCH)]
    records = []
    for name in optimizers:
        timings = in_turn({p: _Training(p, name) for p in with_compile}, rounds, tick)
        records.append(
            {"optimizer": name, "milliseconds": {p: t._asdict() for p, t in timings.items()}}
        )
    return records
