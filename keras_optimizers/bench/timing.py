"""Timing runners in turn: on the clock, and of the processor."""

import time
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import numpy as np


class Timing(NamedTuple):
    """Milliseconds a step: the median, the quartiles about it, and the median of the CPU time.

    The CPU time is that of all threads together. Other programs on the machine hardly change it.
    """

    median: float
    lower: float
    upper: float
    cpu: float


class Seconds(NamedTuple):
    """What one step took: on the clock, and of the processor."""

    clock: float
    cpu: float


def timed(step: Callable[[], Any]) -> Seconds:
    """The seconds of one call, with all threads that it starts."""
    clock, cpu = time.perf_counter(), time.process_time()
    step()
    return Seconds(time.perf_counter() - clock, time.process_time() - cpu)


def in_turn(runners: Dict[str, Any], rounds: int, tick: Callable[[], None]) -> Dict[str, Timing]:
    """Run all `runners` in every round; the order turns, so that none always follows the same."""
    names = list(runners)
    seconds: Dict[str, List[Seconds]] = {name: [] for name in names}
    for index in range(rounds + 1):
        for name in names[index % len(names) :] + names[: index % len(names)]:
            runners[name].run()  # brings what it needs into the caches
            taken = runners[name].run()
            if index:  # the first round is for warming up
                seconds[name].append(taken)
        tick()
    return {name: _timing(taken) for name, taken in seconds.items()}


def _timing(taken: Sequence[Seconds]) -> Timing:
    clock, cpu = (1e3 * np.array(values) for values in zip(*taken))
    median, lower, upper = (float(np.percentile(clock, q)) for q in (50, 25, 75))
    return Timing(median, lower, upper, float(np.median(cpu)))
