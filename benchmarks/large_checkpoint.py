"""A large checkpoint streams: peak memory and time of a migration, beside a plain copy.

    python benchmarks/large_checkpoint.py                   # 4 GB, some minutes
    python benchmarks/large_checkpoint.py --gigabytes 1 --to keras-3

Writes an HDF5 file of Adam's state for parameters of 128 MB each into --folder, then migrates
and copies it in turn, three times each.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from keras_optimizers.checkpoint import OptimizerState, Parameter, write  # noqa: E402
from keras_optimizers.checkpoint.state import Array  # noqa: E402

MEGABYTES = 128


def large_file(path: str, gigabytes: float) -> None:
    """A whole model's file: weights, and Adam's two slots for each."""
    shape = (MEGABYTES << 8, 1024)
    count = max(1, round(gigabytes * 1024 / MEGABYTES / 3))
    names = [f"layer_{index}/kernel" for index in range(count)]

    def values(seed: int) -> Array:
        def load() -> np.ndarray:
            row = np.random.RandomState(seed).standard_normal(shape[1]).astype("f4")
            return np.tile(row, (shape[0], 1))

        return Array(shape, "f4", load)

    slots = {
        role: {name: values(number + 1000 * place) for number, name in enumerate(names)}
        for place, role in enumerate(("first_moment", "second_moment"), 1)
    }
    state = OptimizerState(
        "Adam", {"lr": 1e-3}, 1000, [Parameter(name, shape, "float32") for name in names], slots
    )
    write(state, path, "tf-keras-1.10")
    layers = [name.split("/")[0] for name in names]
    with h5py.File(path, "r+") as opened:
        group = opened.create_group("model_weights")
        group.attrs["layer_names"] = np.array(layers, "S")
        for number, (layer, name) in enumerate(zip(layers, names)):
            held = group.create_group(layer)
            held.attrs["weight_names"] = np.array([name + ":0"], "S")
            held.create_dataset(name + ":0", data=values(number).read())


def timed(command: list) -> tuple:
    """Seconds and peak memory in MB of a process."""
    os.sync()
    started = time.time()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    os.sync()
    if status:
        raise SystemExit(f"{command} failed")
    return time.time() - started, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--to", default="optimizer-v2")
    parser.add_argument("--folder", default=None, help="where the files go (default: temporary)")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(dir=options.folder)
    os.environ["PYTHONPATH"] = ROOT
    try:
        source = os.path.join(folder, "source.h5")
        large_file(source, options.gigabytes)
        print(f"source: {os.path.getsize(source) / 1e9:.2f} GB, tensors of {MEGABYTES} MB")
        ending = ".keras" if options.to == "keras-3" else ".h5"
        target = os.path.join(folder, "target" + ending)
        migrate = [sys.executable, "-m", "keras_optimizers", "migrate", source, target]
        migrate += ["--to", options.to, "--overwrite"]
        results: dict = {"migrate": [], "copy": []}
        for _ in range(3):
            results["migrate"].append(timed(migrate))
            os.remove(target)
            results["copy"].append(timed(["cp", source, target]))
            os.remove(target)
        for name, found in results.items():
            seconds = statistics.median(one for one, _ in found)
            print(f"{name}: {seconds:.1f} s, peak memory {max(one for _, one in found):.0f} MB")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
