"""What each technique of the plain TensorFlow ops gives, measured by leaving it out.

    python benchmarks/techniques.py [--rounds N]

Prints, for stacks, their limit and scratch memory, every optimizer that uses them: the time
of a step without the technique, divided by the time with it, on the clock and of the processor.
Both steps run in turn in one process.
"""

import argparse
import gc
import os
import sys
import unittest.mock
from typing import Any, List, NamedTuple, Tuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from keras_optimizers.bench import peers
from keras_optimizers.bench.cases import CASES, Case, make_gradients
from keras_optimizers.bench.measure import Built
from keras_optimizers.bench.timing import in_turn
from keras_optimizers.lowering import fused, stacked
from keras_optimizers.tensorflow_private import silence_deprecation_warnings

NEVER = 2**62


class Technique(NamedTuple):
    """A technique, and how it is left out: the number that decides where it is used."""

    name: str
    module: Any
    number: str
    where: Tuple[Tuple[str, str], ...]  # of peer and case


MIDDLE = Case("160 tensors of 32 x 32", [(32, 32)] * 160, 0, 30)
LARGER = Case("160 tensors of 45 x 45", [(45, 45)] * 160, 0, 30)
LISTED = dict(CASES, middle=MIDDLE, larger=LARGER)

TECHNIQUES = (
    Technique(
        "stacks",
        stacked,
        "_FEWEST",
        ((peers.EXACT, "small"), (peers.EXACT, "middle"), (peers.FUSED, "small")),
    ),
    # Without it tensors of every size are stacked.
    Technique("the stacks' limit", stacked, "_LARGEST", ((peers.EXACT, "larger"),)),
    Technique("scratch memory", fused, "_SCRATCH_FROM", ((peers.FUSED, "large"),)),
)


def measure(technique: Technique, peer: str, case_name: str, rounds: int) -> List[str]:
    """The rows of the table: the optimizers whose graph is another without the technique."""
    case, rows = LISTED[case_name], []
    gradients = make_gradients(case)
    for name in peers.OPTIMIZERS:
        both = {"with": Built(peer, name, case, gradients)}
        with unittest.mock.patch.object(technique.module, technique.number, NEVER):
            both["without"] = Built(peer, name, case, gradients)
        kinds = [sorted(op.type for op in one.graph.get_operations()) for one in both.values()]
        if kinds[0] != kinds[1]:
            timings = in_turn(both, rounds or case.rounds, lambda: None)
            one, other = timings["with"], timings["without"]
            cells = [technique.name, f"{case.title}, {peer}", name]
            cells += [f"{both['with'].graph_ops:,}", f"{both['without'].graph_ops:,}"]
            cells += [f"{one.cpu:.2f}", f"{other.cpu:.2f}"]
            cells += [f"{other.cpu / one.cpu:.2f}", f"{other.median / one.median:.2f}"]
            rows.append("| " + " | ".join(cells) + " |")
            print(rows[-1], flush=True)
        for built in both.values():
            built.close()
        del both, built
        gc.collect()
    return rows


def main() -> None:
    """Measure all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=0, help="timed rounds (default: by case)")
    rounds = parser.parse_args().rounds
    silence_deprecation_warnings()
    header = ["technique", "where", "optimizer", "ops with", "ops without", "CPU ms with"]
    header += ["CPU ms without", "CPU ratio", "clock ratio"]
    print("| " + " | ".join(header) + " |\n|" + " --- |" * len(header), flush=True)
    for technique in TECHNIQUES:
        for peer, case in technique.where:
            measure(technique, peer, case, rounds)


if __name__ == "__main__":
    main()
