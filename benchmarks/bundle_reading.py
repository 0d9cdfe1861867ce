"""Reading a checkpoint of TensorFlow: our reader beside TensorFlow's, in one process.

    python benchmarks/bundle_reading.py                     # 100 MB
    python benchmarks/bundle_reading.py --megabytes 1000

The files are in the system's cache: this measures the readers, not the disk. Both compare all
checksums. The two take turns; the table has the median of each. The last line says how much memory
our reader takes at most.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import tracemalloc
from typing import Callable, Dict, List, Tuple

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from keras_optimizers.checkpoint.state import Array  # noqa: E402
from keras_optimizers.checkpoint.storage import bundles  # noqa: E402

TENSORS = 12
TURNS = 7


def write(prefix: str, megabytes: float) -> None:
    """A checkpoint of so many bytes in a few large tensors and as many small ones."""
    choose = np.random.RandomState(0)
    shape = (int(megabytes * (1 << 20) / 4 / TENSORS / 256), 256)
    tensors = []
    for number in range(TENSORS):
        tensors.append((f"layer_{number}/kernel", choose.standard_normal(shape).astype("f4")))
        tensors.append((f"layer_{number}/bias", choose.standard_normal(256).astype("f4")))
    bundles.write_bundle(prefix, [(name, Array.of(value)) for name, value in tensors])


def ours(prefix: str) -> float:
    """A sum over all tensors, one in memory at a time."""
    return sum(float(array.read()[..., 0].sum()) for array in bundles.open_bundle(prefix).values())


def tensorflow(prefix: str) -> float:
    """The same with TensorFlow's reader."""
    tf = bundles.require_tensorflow()
    reader = tf.train.NewCheckpointReader(prefix)
    names = sorted(reader.get_variable_to_shape_map())
    return sum(float(reader.get_tensor(name)[..., 0].sum()) for name in names)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=100)
    options = parser.parse_args()
    readers: List[Tuple[str, Callable[[str], float]]] = [("ours", ours), ("TensorFlow", tensorflow)]
    bundles.require_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "large")
        write(prefix, options.megabytes)
        taken: Dict[str, List[float]] = {name: [] for name, _ in readers}
        sums = set()
        for _ in range(TURNS):
            for name, reader in readers:
                started = time.process_time()
                sums.add(reader(prefix))
                taken[name].append(time.process_time() - started)
        tracemalloc.start()
        ours(prefix)
        _, largest = tracemalloc.get_traced_memory()
        tensor = max(array.size_in_bytes for array in bundles.open_bundle(prefix).values())
    if len(sums) != 1:
        raise SystemExit("the readers do not agree")
    median = {name: statistics.median(values) for name, values in taken.items()}
    print("| reader | ms of processor time | MB per second |\n| --- | --- | --- |")
    for name, seconds in median.items():
        print(f"| {name} | {1000 * seconds:.0f} | {options.megabytes / seconds:.0f} |")
    print(f"ours takes {median['ours'] / median['TensorFlow']:.2f} times as long")
    print(
        f"its memory: {largest / (1 << 20):.1f} MB, the largest tensor {tensor / (1 << 20):.1f} MB"
    )


if __name__ == "__main__":
    main()
