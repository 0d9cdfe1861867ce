"""Damaged and hostile files: no traceback, no hang, no memory beyond the bound.

    python tests/checkpoint/fuzz.py                    # 2,000 mutated files, a few minutes
    python tests/checkpoint/fuzz.py --count 100 --seed 7

Bytes are flipped, overwritten, cut and moved; links, shapes, types, attributes and JSON are bent.
Every file goes through `inspect`, `migrate` or `verify`. Prints one line for each that fails.
"""

import argparse
import glob
import io
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import zipfile

import h5py
import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
sys.path.insert(0, ROOT)

from keras_optimizers import cli  # noqa: E402

SOURCES = os.path.join(ROOT, "tests", "eras", "sources")
FILES = [
    os.path.join(SOURCES, *name.split("/"))
    for name in (
        "tf-keras-1.10/adam.h5",
        "keras-2.3/nadam.h5",
        "optimizer-v2-2.15/rmsprop_decay.h5",
        "tf-keras-2.15/adam_amsgrad_decay.h5",
        "keras-3-h5/functional_adam.h5",
        "keras-3/adam.keras",
        "keras-3/functional_adam.keras",
        "saver-ours/adam",
        "saver-tf-train/adam",
        "object-2.15/adam",
    )
]
LONGEST = 120  # seconds; the HDF5 library may compute for 20 before it is stopped
LARGEST = 700 << 20  # bytes: Python, NumPy and h5py take 100 MB of them


def flip(data, choose):
    for _ in range(choose.randint(1, 20)):
        data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
    return data


def overwrite(data, choose):
    for _ in range(choose.randint(1, 8)):
        start = choose.randrange(len(data))
        value = choose.choice([0x00, 0xFF, 0x7F, 0x80])
        for index in range(start, min(len(data), start + choose.choice([1, 2, 4, 8, 64]))):
            data[index] = value
    return data


def cut(data, choose):
    return data[: choose.randrange(len(data))]


def move(data, choose):
    size = choose.choice([8, 64, 512, 4096])
    here, there = choose.randrange(len(data)), choose.randrange(len(data))
    data[here : here + size] = data[there : there + size]
    return data


def structure(path, choose):
    """Bend one thing in an HDF5 file that is otherwise whole."""
    with h5py.File(path, "r+") as opened:
        datasets, groups = [], [opened]
        opened.visititems(
            lambda _, item: (datasets if isinstance(item, h5py.Dataset) else groups).append(item)
        )
        place = choose.choice(groups)
        victim = choose.choice(datasets)
        name, parent = victim.name, victim.parent
        kind = choose.randrange(14)
        if kind == 0:
            place["cycle"] = opened
        elif kind == 1:
            place["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")
        elif kind == 2:
            place["soft"] = h5py.SoftLink("/")
        elif kind == 3:
            del parent[name]
        elif kind == 4:
            del parent[name]
            parent.create_dataset(name, shape=(1 << 40,), chunks=(1 << 16,), dtype="f4")
        elif kind == 5:
            del parent[name]
            parent.create_dataset(name, data=np.zeros((1 << 24,), "f4"), compression="gzip")
        elif kind == 6:
            del parent[name]
            parent[name] = np.array([b"text", b"more"])
        elif kind == 7:
            del parent[name]
            parent[name] = np.zeros(3, [("a", "f4"), ("b", "i8")])
        elif kind == 8:
            del parent[name]
            parent.create_group(name)
        elif kind == 9:
            owner = choose.choice([one for one in [*groups, *datasets] if len(one.attrs)] or groups)
            for key in list(owner.attrs)[:1]:
                value = choose.choice([3, 2.5, b"", b"{", "[" * 100000, np.zeros((3, 3)), b"null"])
                owner.attrs[key] = value if len(str(value)) < 60000 else b"[" * 60000
        elif kind == 10:
            bend_json(opened, "training_config", choose)
        elif kind == 11:
            bend_json(opened, "model_config", choose)
        elif kind == 12:
            group = opened.get("optimizer_weights", opened)
            names = list(group.attrs.get("weight_names", []))
            choose.shuffle(names)
            if names:
                group.attrs["weight_names"] = names[: choose.randint(0, len(names))]
        else:
            victim[...] = np.full(victim.shape, choose.choice([np.nan, np.inf, -1, 0]))


def bend_json(opened, name, choose):
    """Replace one value somewhere in a JSON attribute."""
    if name not in opened.attrs:
        return
    written = opened.attrs[name]
    written = written.decode() if isinstance(written, bytes) else str(written)
    opened.attrs[name] = json.dumps(bent(json.loads(written), choose)).encode()


def bent(value, choose):
    places = []

    def walk(one):
        for key in list(one) if isinstance(one, dict) else range(len(one)):
            places.append((one, key))
            if isinstance(one[key], (dict, list)):
                walk(one[key])

    walk(value)
    owner, key = choose.choice(places)
    owner[key] = choose.choice(
        [None, -1, 1e308, "", "x" * 1000, [], {}, [[[]]], True, float("nan"), {"class_name": 5}]
    )
    return value


def archive(path, choose):
    """Bend a .keras archive: names, sizes, contents."""
    with zipfile.ZipFile(path) as packed:
        entries = [(entry, packed.read(entry.filename)) for entry in packed.infolist()]
    kind = choose.randrange(6)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        for entry, data in entries:
            name = entry.filename
            if kind == 0 and choose.random() < 0.5:
                continue
            if kind == 1:
                name = "../../" + name
            if kind == 2 and name.endswith(".h5"):
                data = bytes(flip(bytearray(data), choose))
            if kind == 3 and name == "config.json":
                data = json.dumps(bent(json.loads(data.decode()), choose)).encode()
            compression = zipfile.ZIP_STORED
            if kind == 4 and name.endswith(".h5"):
                data, compression = bytes(600 << 20), zipfile.ZIP_DEFLATED
            packed.writestr(name, data, compression)
            if kind == 5:
                packed.writestr("/etc/" + name, data)
    with open(path, "wb") as opened:
        opened.write(written.getvalue())


def mutate(source, path, choose):
    """A mutated copy of `source` at `path`; what was done to it."""
    if not os.path.exists(source):  # the prefix of a checkpoint of TensorFlow
        endings = [name[len(source) :] for name in glob.glob(source + ".[di]*")]
        for ending in endings:
            shutil.copyfile(source + ending, path + ending)
        path += choose.choice(sorted(endings))
        change = choose.choice([flip, overwrite, cut, move])
        mutate_bytes(path, change, choose)
        return "%s of %s" % (change.__name__, os.path.basename(path))
    shutil.copyfile(source, path)
    if choose.random() < 0.4:
        if path.endswith(".keras"):
            archive(path, choose)
            return "archive"
        structure(path, choose)
        return "structure"
    change = choose.choice([flip, overwrite, cut, move])
    mutate_bytes(path, change, choose)
    return change.__name__


def mutate_bytes(path, change, choose):
    with open(path, "rb") as opened:
        data = bytearray(opened.read())
    with open(path, "wb") as opened:
        opened.write(bytes(change(data, choose)))


def arguments(path, choose, folder):
    command = choose.choice(["inspect", "migrate", "verify"])
    if command == "inspect":
        return ["inspect", path, *choose.choice([[], ["--json"], ["--class", "Adam"]])]
    if command == "verify":
        return ["verify", path, choose.choice(FILES)]
    target = choose.choice(["keras-optimizers", "keras-2.3", "optimizer-v2", "tf-keras-2.11"])
    ending = ".h5"
    if choose.random() < 0.3:
        target, ending = "keras-3", choose.choice([".keras", ".weights.h5"])
    return ["migrate", path, os.path.join(folder, "out" + ending), "--to", target, "--overwrite"]


def run(command, log):
    """Exit status and seconds of a command whose output goes to `log`."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    started = time.time()
    with open(log, "wb") as opened:
        os.dup2(opened.fileno(), 1)
        os.dup2(opened.fileno(), 2)
        try:
            status = cli.main(command)
        except SystemExit as stop:
            status = stop.code
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            os.close(kept[0])
            os.close(kept[1])
    return status, time.time() - started


def failures(count, seed, progress=lambda number: None):
    """What went wrong, a line each; and how often each exit status came."""
    folder = tempfile.mkdtemp()
    found, tally = [], {0: 0, 1: 0, 2: 0}
    try:
        for number in range(count):
            choose = random.Random(seed * 1000003 + number)
            source = choose.choice(FILES)
            path = os.path.join(folder, "mutated" + os.path.splitext(source)[1])
            log = os.path.join(folder, "log")
            what = mutate(source, path, choose)
            command = arguments(path, choose, folder)
            status, seconds = run(command, log)
            with open(log, errors="replace") as opened:
                said = opened.read()
            largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
            tally[status] = tally.get(status, 0) + 1
            wrong = []
            if status not in (0, 1, 2):
                wrong.append("exit status %s" % status)
            if "Traceback" in said:
                wrong.append("a traceback: %s" % said.strip().splitlines()[-1])
            if status == 2 and len(said.strip().splitlines()) > 3:
                wrong.append("%d lines of error" % len(said.strip().splitlines()))
            if seconds > LONGEST:
                wrong.append("%.0f seconds" % seconds)
            if largest > LARGEST:
                wrong.append("%d MB" % (largest >> 20))
            if wrong:
                where = os.path.relpath(source, SOURCES)
                found.append("%d %s %s %s: %s" % (number, where, what, command[0], wrong))
            progress(number + 1)
        left = [name for name in os.listdir(folder) if name.endswith(".partial")]
        if left:
            found.append("left behind: %s" % left)
    finally:
        shutil.rmtree(folder)
    return found, tally


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def progress(number):
        if number % 100 == 0:
            print("%d of %d" % (number, options.count), file=sys.stderr, flush=True)

    found, tally = failures(options.count, options.seed, progress)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    shown = ", ".join("%s: %d" % pair for pair in sorted(tally.items()))
    print("exit statuses: %s; largest process: %d MB" % (shown, largest))
    print("\n".join(found + ["%d of %d files failed" % (len(found), options.count)]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
