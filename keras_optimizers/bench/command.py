"""The `keras-optimizers bench` command."""

import argparse
import json
import os
import platform
import sys
import time
from typing import Any, Callable, Dict, List

import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers import output
from keras_optimizers.bench import extras, peers, report, torch_peers
from keras_optimizers.bench import measure as measure_module
from keras_optimizers.bench.arguments import EXTRAS
from keras_optimizers.bench.cases import CASES
from keras_optimizers.bench.measure import measure_case
from keras_optimizers.lowering.native import library


def run(options: argparse.Namespace) -> int:
    """Measure, print the tables, write what is asked for."""
    for path in (options.json, options.plot):
        folder = os.path.dirname(os.path.abspath(path or "."))
        if path and not os.path.isdir(folder):
            print(f"keras-optimizers: there is no folder {folder!r} for {path!r}", file=sys.stderr)
            return 2
    if options.json:
        output.check_place_of_text(options.json)
    if options.plot:
        output.check_place(options.plot)
    try:
        results = measure(options)
    except torch_peers.TorchError as error:
        print(f"keras-optimizers: {error}", file=sys.stderr)
        return 2
    if options.json:  # first: standard output may be a closed pipe
        output.write_text(options.json, json.dumps(results, indent=1))
        print(f"wrote {options.json}", file=sys.stderr)
    output.show(report.markdown(results))
    if options.plot:
        try:
            report.plot(results, options.plot)
        except ImportError as error:
            print(f"keras-optimizers: {error}", file=sys.stderr)
            return 2
        except OSError as error:
            reason = error.strerror or error
            raise output.OutputError(f"Cannot write {options.plot!r}: {reason}.") from error
        print(f"wrote {options.plot}", file=sys.stderr)
    return 0


def measure(options: argparse.Namespace) -> Dict[str, Any]:
    """All that `options` ask for, as what JSON can hold."""
    tf.logging.set_verbosity(tf.logging.ERROR)
    measure_module.THREADS = options.threads or 0
    chosen = _chosen(options)
    optimizers = options.optimizer or list(peers.OPTIMIZERS)
    wanted = list(EXTRAS) if options.all else options.extra or []
    cases = options.case or ([] if wanted and not options.all else list(CASES))
    results: Dict[str, Any] = {
        "version": keras_optimizers.__version__,
        "tensorflow": tf.VERSION,
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        },
        "peers": chosen,
        "clock": "cpu" if options.cpu else "median",
        "threads": options.threads or os.cpu_count(),
        "cases": {},
        "extras": {},
    }
    show = _Progress()
    for name in cases:
        results["cases"][name] = []
        for optimizer in optimizers:
            tick = show.part(f"{name}: {optimizer}")
            records = measure_case(CASES[name], [optimizer], chosen, options.rounds, tick)
            results["cases"][name] += records
    makers: Dict[str, Callable[[Callable[[], None]], Any]] = {
        "start": lambda tick: extras.measure_start(optimizers, chosen, tick),
        "state": lambda tick: extras.measure_state(chosen, tick),
        "memory": lambda tick: extras.measure_memory(optimizers, chosen, tick),
        "vocabulary": lambda tick: extras.measure_vocabulary(optimizers, chosen, tick),
        "fit": lambda tick: extras.measure_fit(optimizers, chosen, tick),
    }
    for name in wanted:
        results["extras"][name] = makers[name](show.part(name))
    show.done()
    return results


def _chosen(options: argparse.Namespace) -> List[str]:
    """The peers that can be measured here."""
    left_out = set() if options.xla else {peers.XLA}
    if library.load() is None:
        left_out.add(peers.NATIVE)
    if options.torch:
        torch_peers.use(options.torch)
    else:
        left_out.update(peers.TORCH)
    return [peer for peer in peers.PEERS if peer not in left_out]


class _Progress:
    """One line on a terminal that says what is being measured, and for how long."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._started = time.time()

    def part(self, title: str) -> Callable[[], None]:
        """A function to call on each advance in the part `title`."""
        count = [0]

        def tick() -> None:
            count[0] += 1
            if self._shown:
                seconds = time.time() - self._started
                dots = "." * (count[0] % 40)
                print(
                    f"\r\033[K{seconds:4.0f} s  {title} {dots}", end="", file=sys.stderr, flush=True
                )

        tick()
        return tick

    def done(self) -> None:
        """Leave a clean line."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
