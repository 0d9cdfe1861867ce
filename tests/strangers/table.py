"""Optimizers from PyPI on ours and on the host's own classes: one table.

    python tests/strangers/table.py [--write docs/strangers.md] [--only WORD] [--folder FOLDER]
    python tests/strangers/table.py --repository keras-contrib=FOLDER --only keras-contrib

Every package is installed at a pinned version. One is on no index: it is tried where its
repository's folder is given. Rows that are not tried stay as the page has them. Each run is a
process of its own, see one_run.py.
The exit status is 1 where a run with ours differs from the one with the host's own classes.
"""

import argparse
import os
import pickle
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import folders  # noqa: E402
from packages import PACKAGES, TF_KERAS  # noqa: E402

# What Keras needs beside what TensorFlow brings.
_OF_KERAS = ("pyyaml==6.0.1",)

# How often each side runs where bits differ, and what the table then says.
_TRIES = 3
_RACES = " (the package races: its own runs differ)"

_INTRODUCTION = """\
# Optimizers from PyPI

Optimizers that other people have written for Keras 2, as subclasses or wrappers of Keras's own
classes. Each is tried twice: with ours installed, and with the host's own classes. It trains 30
steps, its weights are read and written, the model is saved and loaded, and trains 5 steps more.
All races are removed on both sides, so both must give the same bits. For `tf.keras` the host's own
classes are the old ones, which TensorFlow 1.15 keeps under a private name.

- **same bits**: every stage gives, to the bit, what it gives with the host's own classes.
- **the package races**: with the host's own classes, runs differ from each other, because the
  package reads and writes a variable in one run with no order. Both sides run three times.
- **works; with its own classes a stage fails**: the package does not support that release of
  Keras. Ours accept what it does; the stages before give the same bits.
- **fails alike**: a stage fails with the same type of error on both sides, for a reason that lies
  in the package or in the host; the stages before it give the same bits.
- An empty cell: the package does not support this host.

`tox -e strangers` makes this page. keras-contrib is not on PyPI: its rows are of a clone of its
repository (the last commit of its main branch, of December 2019), and are made by
`tox -e strangers -- --repository keras-contrib=FOLDER --write docs/strangers.md`. Its FTML is not
tried on Keras 2.3.1, whose variables refuse how it multiplies them.

"""
_NOTES = """
Not in the table:

- Packages for OptimizerV2 (keras-bert 0.89, keras-rectified-adam 0.20) subclass
  `tf.keras.optimizers.Optimizer`, which is our base class while ours are installed. Making such an
  optimizer raises a `TypeError` that names the method and the remedy.

Libraries that replace `K.update` and the like while a step is built (bert4keras, keras-lookahead,
keras-gradient-accumulation, runai) get a step that is built through these functions. A line of the
log says so once. Such a step is as fast as the host's own, not faster.
"""


def outcome_of(name, host, classes, folder, repositories):
    """What one run gave, by stage."""
    package = PACKAGES[name]
    if package.repository:
        paths = [repositories[package.repository], ROOT]
    else:
        paths = [folders.installed(package.requirements, folder), ROOT]
    if host != TF_KERAS:
        paths.insert(0, folders.installed([host, *_OF_KERAS], folder))
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(paths), TF_CPP_MIN_LOG_LEVEL="2")
    environment["TF_KERAS"] = "1" if host == TF_KERAS else "0"
    with tempfile.TemporaryDirectory() as scratch:
        target = os.path.join(scratch, "outcome")
        module = "tf.keras" if host == TF_KERAS else "keras"
        command = [sys.executable, os.path.join(HERE, "one_run.py"), name, module, classes, target]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if not os.path.exists(target):
            last_line = (done.stdout.decode(errors="replace").strip() or "nothing").splitlines()[-1]
            return {"import": ("process ended", last_line)}
        with open(target, "rb") as opened:
            return pickle.load(opened)


def verdict(ours, its_own):
    """(text, whether it is as it should be) of two outcomes."""
    if "import" in ours or "import" in its_own:
        return "**does not start**", False
    for stage in its_own:
        one, other = ours.get(stage), its_own[stage]
        if isinstance(one, tuple) and isinstance(other, tuple):
            if one[0] == other[0]:
                return "fails alike in {}: {}".format(stage, other[0]), True
            return "**fails otherwise in {}**: {}".format(stage, one[0]), False
        if isinstance(other, tuple):
            return "works; with its own classes {} fails: {}".format(stage, other[0]), True
        if one is None or isinstance(one, tuple):
            return "**fails in {}**: {}".format(stage, one), False
        if not same(one, other):
            return "**other bits in {}**".format(stage), False
    return "same bits", True


def compared(name, host, *where):
    """The verdict; where bits differ, after more runs: the package itself may race."""
    runs = {"ours": [], "its-own": []}
    for _ in range(_TRIES):
        for classes, outcomes in runs.items():
            outcomes.append(outcome_of(name, host, classes, *where))
        verdicts = [verdict(ours, own) for ours in runs["ours"] for own in runs["its-own"]]
        for text, fine in verdicts:
            if fine:
                return text if len(verdicts) == 1 else text + _RACES, True, runs
        if "other bits" not in verdicts[0][0]:
            break
    first, *others = runs["its-own"]
    if any(not verdict(other, first)[1] for other in others):
        return "no result to compare with" + _RACES, True, runs
    return (*verdicts[0], runs)


def same(arrays, others):
    """Whether two lists of arrays are equal to the bit."""
    return [_bytes(value) for value in arrays] == [_bytes(value) for value in others]


def _bytes(array):
    return array.dtype.str, array.shape, array.tobytes()


def rows_of(page):
    """The table's lines in a page that was written before, by package; none without one."""
    if not page or not os.path.exists(page):
        return {}
    with open(page, encoding="utf-8") as opened:
        lines = [line.rstrip("\n") for line in opened if line.startswith("| ")]
    return {line.split("|")[1].strip(): line for line in lines}


def named_folder(text):
    """(name, absolute path) of an argument NAME=FOLDER."""
    name, _, folder = text.partition("=")
    if not os.path.isdir(folder):
        raise argparse.ArgumentTypeError("takes NAME=FOLDER with a folder that is there: %r" % text)
    return name, os.path.abspath(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--repository",
        metavar="NAME=FOLDER",
        type=named_folder,
        action="append",
        default=[],
        help="where a clone of a repository is that is on no index, as keras-contrib=FOLDER",
    )
    parser.add_argument("--write", metavar="PAGE", help="write the page")
    parser.add_argument("--only", default="", metavar="WORD", help="rows that contain WORD")
    parser.add_argument("--folder", default=".tox/strangers-packages", help="where packages go")
    options = parser.parse_args()
    folder = os.path.abspath(options.folder)
    hosts = sorted({host for package in PACKAGES.values() for host in package.hosts})
    titles = [host.replace("keras==", "Keras ") for host in hosts]
    lines = ["| package | " + " | ".join(titles) + " |", "| --- |" + " --- |" * len(hosts)]
    repositories, before = dict(options.repository), rows_of(options.write)
    all_fine = True
    for name, package in PACKAGES.items():
        missing = None if package.repository in repositories else package.repository
        if options.only not in name or missing:
            if missing:
                print("{}: not tried: needs --repository {}=FOLDER".format(name, missing))
            lines += [before[name]] if name in before else []
            continue
        cells = []
        for host in hosts:
            if host not in package.hosts:
                cells.append("")
                continue
            text, fine, runs = compared(name, host, folder, repositories)
            all_fine = all_fine and fine
            cells.append(text)
            print("{}, {}: {}".format(name, host, text), flush=True)
            for classes, outcomes in runs.items():
                for stage, value in outcomes[0].items():
                    if isinstance(value, tuple):
                        print("    {}, {}: {}: {}".format(classes, stage, *value), flush=True)
        lines.append("| {} | {} |".format(name, " | ".join(cells)))
    print("\n" + "\n".join(lines))
    if options.write:
        with open(options.write, "w", encoding="utf-8") as page:
            page.write(_INTRODUCTION + "\n".join(lines) + "\n" + _NOTES)
    return 0 if all_fine else 1


if __name__ == "__main__":
    sys.exit(main())
