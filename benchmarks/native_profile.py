"""Where the time of the native op's step goes: the memory, the arithmetic, or TensorFlow itself.

    python benchmarks/native_profile.py [--optimizer Adam]

Two tables. The first is of 25 M parameters, in nanoseconds for an element. `arithmetic` is the same
program on tensors that lie in the nearest caches, with one thread: from the difference of two
sizes, so that the start of a step takes no part. `memory` is what the plain loop `a += s * b` needs
for as many bytes, in the same rounds. A step is as fast as it can be when it takes as long as the
longer of the two: the memory, or the arithmetic divided by the threads.

The second is of 160 small tensors, in microseconds: an empty run of a session, a run that hands all
gradients to one op that does nothing, and the step.
"""

import argparse
import gc
import multiprocessing
import os
import sys
from typing import Any, Callable, Dict, List

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import tensorflow.compat.v1 as tf

from keras_optimizers.bench import measure, peers
from keras_optimizers.bench.cases import CASES, Case, make_gradients
from keras_optimizers.bench.timing import Seconds, in_turn, timed
from keras_optimizers.tensorflow_private import silence_deprecation_warnings

# Two sizes whose gradient, parameter and slots lie in a core's own caches together.
IN_CACHE = (4096, 20480)
ROUNDS_IN_CACHE = 1500


class Run:
    """A run of a session that makes no step."""

    def __init__(self, tensors: int) -> None:
        with tf.Graph().as_default():
            values = [tf.placeholder_with_default(value, value.shape) for value in _small(tensors)]
            # One op that hands its inputs on, and computes nothing.
            op = tf.identity_n(values)[0].op if values else tf.no_op()
            self.session = tf.Session(config=measure.session_config())
        self._run = self.session.make_callable(op)

    def run(self) -> Seconds:
        """One run."""
        return timed(self._run)

    def close(self) -> None:
        """Free the session's memory."""
        self.session.close()


def _small(tensors: int) -> List[Any]:
    return make_gradients(CASES["small"])[:tensors]


def _timings(runners: Dict[str, Any], rounds: int) -> Dict[str, float]:
    """The median of each, in seconds; the runners are closed."""
    timings = in_turn(runners, rounds, lambda: None)
    for runner in runners.values():
        runner.close()
    runners.clear()
    gc.collect()
    return {name: timing.median / 1e3 for name, timing in timings.items()}


def fresh(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call `function` in a process of its own: TensorFlow makes its threads once for a process."""
    with multiprocessing.get_context("spawn").Pool(1, silence_deprecation_warnings) as pool:
        return pool.apply(function, arguments)


def _built(name: str, case: Case, peer: str = peers.NATIVE) -> measure.Built:
    return measure.Built(peer, name, case, make_gradients(case))


def arithmetic(name: str) -> float:
    """Nanoseconds for an element that lies in the nearest caches, with one thread."""
    measure.THREADS = 1
    cases = {str(size): Case("in the cache", [(size,)], 0, 0) for size in IN_CACHE}
    taken = _timings({key: _built(name, case) for key, case in cases.items()}, ROUNDS_IN_CACHE)
    few, many = IN_CACHE
    return 1e9 * (taken[str(many)] - taken[str(few)]) / (many - few)


def large(name: str, threads: int, per_element: float, rounds: int) -> str:
    """The row of one optimizer and number of threads."""
    per_element /= threads
    measure.THREADS = threads
    case = CASES["large"]
    taken = _timings({"step": _built(name, case), "plain": measure.Bandwidth(case)}, rounds)
    step = 1e9 * taken["step"] / case.size
    memory = 1e9 * taken["plain"] / case.size * peers.TENSORS_MOVED[name] / 3
    bound, limit = max((memory, "memory"), (per_element, "arithmetic"))
    cells = [name, str(threads), f"{per_element:.2f}", f"{memory:.2f}", f"{step:.2f}"]
    return "| " + " | ".join([*cells, limit, f"{bound / step:.2f}"]) + " |"


def small(name: str, per_element: float, rounds: int) -> str:
    """The row of one optimizer."""
    measure.THREADS = 0
    case = CASES["small"]
    runners: Dict[str, Any] = {"empty": Run(0), "gradients": Run(len(case.shapes))}
    runners["step"] = _built(name, case)
    chosen = [p for p in (peers.OPTIMIZER_V2, peers.TF_TRAIN, peers.FUSED) if peers.has(p, name)]
    runners.update({peer: _built(name, case, peer) for peer in chosen})
    taken = _timings(runners, rounds)
    computing = per_element * case.size / 1e3
    fastest = min(taken[peer] for peer in chosen)
    cells = [f"{1e6 * taken[key]:.0f}" for key in ("empty", "gradients", "step")]
    cells[2:2] = [f"{computing:.0f}"]
    ratio = fastest / taken["step"]
    # What the ratio would be if looking up 160 variables and the arithmetic took no time.
    at_most = fastest / taken["gradients"]
    return f"| {name} | " + " | ".join([*cells, f"{ratio:.2f}", f"{at_most:.2f}"]) + " |"


def _header(*names: str) -> str:
    return "| " + " | ".join(names) + " |\n|" + " --- |" * len(names)


def main() -> None:
    """Measure all and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--optimizer", action="append", choices=list(peers.OPTIMIZERS), help="default: all"
    )
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds of the large case")
    arguments = parser.parse_args()
    names = arguments.optimizer or list(peers.OPTIMIZERS)
    print("25 M parameters in 6 tensors, ns for an element:\n")
    threads_of = sorted({1, os.cpu_count() or 1})
    columns = ["arithmetic", "memory", "step", "the longer of the two", "its share of the step"]
    print(_header("optimizer", "threads", *columns), flush=True)
    per_element = {}
    for name in names:
        per_element[name] = fresh(arithmetic, name)
        for threads in threads_of:
            row = fresh(large, name, threads, per_element[name], arguments.rounds)
            print(row, flush=True)
    print("\n160 tensors of 16 x 16, microseconds:\n")
    columns = ["an empty run", "a run with 160 gradients", "arithmetic", "step"]
    columns += ["fastest peer : step", "fastest peer : run with 160 gradients"]
    print(_header("optimizer", *columns), flush=True)
    for name in names:
        print(fresh(small, name, per_element[name], 20 * arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
