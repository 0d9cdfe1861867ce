"""Every source x every target: convert, load with the target's own loader, go on, compare.

    python tests/eras/matrix.py                                  # from the committed sources
    python tests/eras/matrix.py --releases --target keras-3      # from the releases' archives
    python tests/eras/matrix.py --source keras-2.3 --target keras-3
    python tests/eras/matrix.py --write docs/migration.md        # and put the table there
    python tests/eras/matrix.py --target keras-3 --write docs/migration.md     # one column of it
    python tests/eras/matrix.py --record                         # write the sources again, compare
    python tests/eras/matrix.py --record --replace               # and commit those of the releases
    python tests/eras/matrix.py --models                         # architectures in other words
    python tests/eras/matrix.py --damage zero                    # does it notice a lost slot?

The state that the target's optimizer has after loading is compared with the one that the source's
optimizer showed when it was saved. 30 uninterrupted steps in the source's era are compared with 20
there and 10 in the target's; the largest difference of a trained parameter is shown. The
environments are made in --environments.
"""

import argparse
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import archives
import environments
import numpy as np
import problem
from go_on import TARGETS

ROOT = environments.ROOT
# Generations whose files do not hold the number of finished steps, for some classes.
DROPS_ITERATIONS = ("r1.10", "1.15-v1", "ours")
# What a graph holds as constants, so that no Saver or object checkpoint has it.
CONSTANTS = ("nesterov", "clipnorm", "schedule_decay")
# A file of the same model, for eras that save the variables alone.
MODEL_OF = {
    "object-2.15": "optimizer-v2-2.15",
    "object-2.4": "tf-2.4",
    "object-2.11": "tf-2.11",
    "object-2.14": "tf-2.14",
}
TF_TRAIN_RATES = {"Adagrad": 0.01, "RMSprop": 0.001, "Adadelta": 1.0, "Adam": 0.001}
UNCOUNTED = ("RMSprop", "Adagrad", "Adadelta")
EXACT = 1e-5
SLOTS_EXACT = 1e-5  # relative to the slot's largest element


def migrate_options(era, case, target):
    """What a user has to say because the source's file does not."""
    class_name, arguments, _ = problem.ALL_CASES[case]
    _, _, generation, _, saves = problem.ERAS[era][:5]
    options = []
    if generation == "keras-3" and TARGETS[target][1] == "keras-3":
        # Without it a file of Keras 3 stays one of its own release.
        options += ["--keras-version", environments.version_of(TARGETS[target][0], "keras")]
    if generation in DROPS_ITERATIONS and saves == "model" and class_name in UNCOUNTED:
        done = 0 if "untrained" in arguments else problem.SAVE_AFTER
        options += ["--iterations", str(done)]
    if saves in ("saver", "object", "tf.train"):
        given = {k: v for k, v in arguments.items() if k in CONSTANTS}
        if era == "saver-tf-train":  # these hold no hyperparameter at all
            given = dict(arguments)
            if class_name in TF_TRAIN_RATES:
                given.setdefault("lr", TF_TRAIN_RATES[class_name])
            if class_name == "SGD":
                given.setdefault("momentum", 0)
            if class_name == "RMSprop":
                given["rho"] = 0.9
            if class_name == "Adam":
                given.update(beta_1=0.9, beta_2=0.999)
        if class_name == "SGD":
            given.setdefault("nesterov", False)
        elif class_name != "Adagrad" or era != "saver-tf-train":
            given["epsilon"] = 1e-7
        if class_name == "Adadelta" and era.startswith("saver"):
            given["rho"] = 0.95
        if class_name == "Nadam":
            given.setdefault("schedule_decay", 0.004)
        for name, value in sorted(given.items()):
            options += ["--set", "%s=%s" % (name, json.dumps(value))]
        options += ["--model", archives.file_of(MODEL_OF.get(era, "optimizer-v2-1.15"), case)]
        if class_name == "SGD" and era == "saver-tf-train" and not arguments.get("momentum"):
            options += ["--class", "SGD"]
        if saves == "object" and class_name in ("Adam", "Adamax"):
            options += ["--class", class_name]
    return options


def missing_slots(saved, loaded, rescaled, told=()):
    """Shapes of the slots that the source's optimizer had and the target's has not.

    Arguments:
        saved, loaded: arrays named `state_…` and `loaded_…`. Scalars, slots of zeros and the
            placeholders of one element that some eras have are no slots.
        rescaled: the target's may be a multiple of the source's.
        told: arrays of which the report says that they are lost.
    """
    remaining = [loaded[name] for name in loaded.files if name.startswith("loaded")]
    missing = []
    for name in saved.files:
        slot = saved[name]
        if not name.startswith("state") or slot.size < 2 or not slot.any():
            continue
        if any(np.array_equal(slot, one) for one in told):
            continue
        for index, value in enumerate(remaining):
            if value.shape == slot.shape and same_slot(slot, value, rescaled):
                del remaining[index]
                break
        else:
            missing.append(slot.shape)
    return missing


def same_slot(slot, value, rescaled):
    """Whether two arrays are one slot, within rounding."""
    slot, value = np.float64(slot), np.float64(value)
    if rescaled and value.any():
        slot, value = slot / np.linalg.norm(slot), value / np.linalg.norm(value)
        if np.vdot(slot, value) < 0:  # eras keep the velocity with either sign
            value = -value
        return np.abs(slot - value).max() <= 1e-3
    return np.abs(slot - value).max() <= SLOTS_EXACT * np.abs(slot).max()


class Cell:
    """One source, case and target."""

    def __init__(self, era, case, target, folder):
        self.era, self.case, self.target = era, case, target
        name = "%s.%s.%s" % (era, case, target)
        self.file = os.path.join(folder, name + TARGETS[target][2])
        self.report_file = os.path.join(folder, name + ".json")
        self.output = os.path.join(folder, name + ".npz")
        self.refusal, self.report, self.difference, self.problem = None, None, None, None
        self.recorded = archives.recorded_of(era, case)

    def conversion(self, damage=None):
        return {
            "damage": damage,
            "state": self.recorded,
            "source": archives.file_of(self.era, self.case),
            "target": self.file,
            "to": TARGETS[self.target][1],
            "options": migrate_options(self.era, self.case, self.target),
            "report": self.report_file,
        }

    def is_plain(self):
        """Whether no TensorFlow is needed."""
        return all((problem.ERAS[self.era].ending, TARGETS[self.target][2]))

    def take_report(self):
        with open(self.report_file) as opened:
            report = json.load(opened)
        self.refusal = report.get("refused")
        if self.refusal is not None:  # without the folder, which is another one in every run
            self.refusal = re.sub(r"'/\S*/(?=[^/']+')", "'", self.refusal)
        self.report = None if self.refusal else report

    def job(self):
        options = {
            name: value
            for name, value in self.report["hyperparameters"].items()
            if name != "epsilon_inside_root"
        }
        if TARGETS[self.target][1] != "checkpoint-2.11":
            options.pop("centered", None)
            if not self.is_sgd():
                options.pop("momentum", None)
        return {
            "case": self.case,
            "file": self.file,
            "output": self.output,
            "options": options,
            # Keras 3.0 trains the layer that the constructor holds fixed, and the report says so.
            "trains_fixed": any("trained fixed" in note for note in self.report["notes"]),
        }

    def is_sgd(self):
        return problem.ALL_CASES[self.case][0] == "SGD"

    def compare(self):
        """The largest difference of a trained parameter from the uninterrupted run."""
        if not os.path.exists(self.output):
            self.problem = "the loader died"
            return
        found = np.load(self.output)
        if "error" in found.files:
            self.problem = "cannot be loaded: " + str(found["error"])[:150]
            return
        expected = np.load(self.recorded)
        differences = []
        for name in expected.files:
            if name.startswith("final") and not self._is_statistic(int(name.split("_")[1])):
                differences.append(np.abs(expected[name] - found[name]).max())
        self.difference = float(max(differences))
        told = [str(one) for one in found["warnings"]]
        unloaded = any("optimizer" in one for one in told if "state" in one)
        if unloaded and "trainable" not in self.told_lost():
            self.problem = "loaded without its state: " + told[0][:150]
        unused = self.velocity() == "left out, unused"
        told = self.slots_told_lost(expected)
        missing = [] if unused else missing_slots(expected, found, self.rescaled(), told)
        if missing:
            self.problem = "lost slots of the shapes %s" % ", ".join(map(str, missing))

    def told_lost(self):
        """The fields of which the report says that they are lost."""
        return [entry["field"] for entry in self.inexact if entry["status"] == "lost"]

    def slots_told_lost(self, recorded):
        """The slots of which the report says that they are lost."""
        lost = self.told_lost()
        if "trainable" in lost:  # the target trains fewer parameters, and takes no slot at all
            return [recorded[name] for name in recorded.files if name.startswith("slot_")]
        untold = [one["explanation"] for one in self.inexact if one["field"] == "momentum"]
        if any("without it these slots are left out" in explanation for explanation in untold):
            roles = ("slot_momentum", "slot_mean_gradient")
            return [recorded[name] for name in recorded.files if name.startswith(roles)]
        if "use_ema" not in lost:
            return []
        return [recorded[name] for name in recorded.files if name.startswith("slot_average")]

    def rescaled(self):
        """Whether the velocity is another multiple: tf.train's is before the learning rate."""
        told = self.velocity() in ("recomputed", "approximate")
        return told or ("saver-tf-train" in (self.era, self.target) and self.is_sgd())

    def velocity(self):
        """What the report says of it."""
        fields = [field for field in self.report["fields"] if field["field"] == "velocity"]
        return fields[0]["status"] if fields else None

    def _is_statistic(self, index):
        """Moving averages of BatchNormalization are no parameters; eras compute them otherwise."""
        return problem.ALL_CASES[self.case][2] in ("sequential", "nested") and index in (4, 5)

    @property
    def inexact(self):
        fields = (self.report or {}).get("fields", [])
        return [f for f in fields if f["status"] in ("defaulted", "approximate", "lost")]

    def is_as_said(self):
        """Whether what happened is what the report promised: no silent cell."""
        if self.refusal is not None:
            return True
        if self.problem is not None:
            return False
        return bool(self.inexact) or self.difference <= EXACT

    def shown(self):
        if self.refusal is not None:
            return "refused"
        if self.problem is not None:
            return "FAILED"
        mark = "~" if self.inexact else ""
        return "%s%.0e" % (mark, self.difference)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", action="append", choices=sorted(problem.ERAS))
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    parser.add_argument("--case", action="append", choices=sorted(problem.ALL_CASES))
    parser.add_argument("--releases", action="store_true", help="only the releases' archives")
    parser.add_argument("--environments", default=os.path.join(ROOT, ".eras"))
    parser.add_argument(
        "--write",
        metavar="FILE",
        help="put the tables between their marks in FILE; with --source, --case or --target, what "
        "the first table says of others stays there",
    )
    parser.add_argument("--record", action="store_true", help="write the sources again; compare")
    parser.add_argument(
        "--replace", action="store_true", help="with --record: keep the releases' new files"
    )
    parser.add_argument("--list", metavar="FILE", help="write every cell to FILE, as JSON lines")
    parser.add_argument(
        "--models", action="store_true", help="translate architectures, and compare predictions"
    )
    parser.add_argument(
        "--damage",
        choices=("drop", "zero"),
        help="prove the matrix: drop the last optimizer weight of every converted file, or zero a "
        "slot, and list the files of which nothing is noticed",
    )
    options = parser.parse_args()
    if options.releases:
        options.source = [era for era in problem.RELEASE_ERAS if archives.is_recorded(era)]
    if not options.source:
        options.source = list(problem.ERAS if options.record else problem.KERAS_ERAS)
    if options.record:
        return record(options)
    if options.models:
        return models(options)
    folder = tempfile.mkdtemp()
    try:
        cells = measure(options, folder)
    finally:
        shutil.rmtree(folder)
    if options.damage:
        return noticed(cells)
    for mark, text in parts(cells).items():
        print(text)
        if options.write:
            part = options.target or options.case or options.source != list(problem.KERAS_ERAS)
            put(options.write, mark, text, add=bool(part) and mark == "matrix")
    if options.list:
        write_list(options.list, cells)
    wrong = [cell for cell in cells if not cell.is_as_said()]
    for cell in wrong:
        print("NOT AS SAID:", cell.era, cell.case, cell.target, cell.problem or cell.difference)
    print("%d cells, %d not as the report said" % (len(cells), len(wrong)))
    return 1 if wrong else 0


def write_list(path, cells):
    """A line of JSON for every cell."""
    with open(path, "w") as opened:
        for cell in cells:
            line = {
                "source": cell.era,
                "case": cell.case,
                "target": cell.target,
                "shown": cell.shown(),
                "as_said": cell.is_as_said(),
                "difference": cell.difference,
                "reason": cell.refusal or cell.problem,
                "inexact": [[f["field"], f["status"], f["explanation"]] for f in cell.inexact],
            }
            opened.write(json.dumps(line) + "\n")


def noticed(cells):
    """The negative control: 0 if all damage was noticed."""
    damaged = [cell for cell in cells if cell.report and cell.report["damaged"]]
    missed = [cell for cell in damaged if cell.is_as_said()]
    for cell in missed:
        print("NOT NOTICED:", cell.era, cell.case, cell.target, cell.difference)
    print("%d files damaged, %d not noticed" % (len(damaged), len(missed)))
    return 1 if missed or not damaged else 0


def convert(cells, options, folder):
    """Convert for all cells: plain files on a modern Python, TensorFlow's own with 1.15."""
    plain = [cell for cell in cells if cell.is_plain()]
    bundles = [cell for cell in cells if not cell.is_plain()]
    running = []
    for number, (share, name) in enumerate([(plain, "keras3"), (bundles, "tf115")]):
        python = environments.python_of(name, options.environments)
        jobs = os.path.join(folder, "convert.%d.json" % number)
        with open(jobs, "w") as opened:
            json.dump([cell.conversion(options.damage) for cell in share], opened)
        script = os.path.join(problem.FOLDER, "convert.py")
        surroundings = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", PYTHONWARNINGS="ignore")
        running.append(subprocess.Popen([python, script, jobs], env=surroundings))
    for process in running:
        if process.wait():
            raise SystemExit("the converter failed")
    for cell in cells:
        cell.take_report()


def measure(options, folder):
    """All cells, converted, loaded and compared."""
    python_of = lambda name: environments.python_of(name, options.environments)  # noqa: E731
    cells = [
        Cell(era, case, target, folder)
        for era in options.source
        for case in problem.cases_of(era)
        if not options.case or case in options.case
        for target in options.target or TARGETS
    ]
    convert(cells, options, folder)
    by_target = collections.defaultdict(list)
    for cell in cells:
        if cell.refusal is None:
            by_target[cell.target].append(cell)
    for target, waiting in by_target.items():
        print("%s: %d files" % (target, len(waiting)), file=sys.stderr, flush=True)
        jobs = os.path.join(folder, target + ".jobs.json")
        with open(jobs, "w") as opened:
            json.dump([cell.job() for cell in waiting], opened)
        command = [python_of(TARGETS[target][0]), os.path.join(problem.FOLDER, "go_on.py")]
        surroundings = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", PYTHONWARNINGS="default")
        subprocess.run(command + [target, jobs], env=surroundings, stderr=subprocess.DEVNULL)
        for cell in waiting:
            cell.compare()
    return cells


def parts(cells):
    """What is written, by its mark: the tables, each with its reasons."""
    of_releases = [cell for cell in cells if cell.era in problem.RELEASE_ERAS]
    others = [cell for cell in cells if cell.era not in problem.RELEASE_ERAS]
    found = collections.OrderedDict()
    if others:
        table = _table(others, ("era", "case"), lambda of_place: of_place[0].shown())
        found["matrix"] = "\n".join(table + [""] + _all_reasons(others))
    if of_releases:
        lines = _table(of_releases, ("era",), _counts) + [""]
        lines += _table(of_releases, ("case",), _counts) + [""]
        found["releases"] = "\n".join(lines + _all_reasons(of_releases))
    return found


def _all_reasons(cells):
    lines = ["Refused:", ""]
    lines += _reasons((cell, cell.refusal) for cell in cells if cell.refusal)
    lines += ["", "Approximate (~):", ""]
    lines += _reasons(
        (cell, "%s %s: %s" % (field["field"], field["status"], field["explanation"]))
        for cell in cells
        for field in cell.inexact
    )
    return lines


def _table(cells, fields, show):
    """Rows by some of a cell's fields, columns are targets; `show` says what is in a place."""
    targets = [target for target in TARGETS if any(cell.target == target for cell in cells)]
    rows = collections.OrderedDict()
    for cell in cells:
        key = tuple(getattr(cell, field) for field in fields)
        rows.setdefault(key, collections.defaultdict(list))[cell.target].append(cell)
    titles = ["source" if field == "era" else field for field in fields]
    lines = ["| %s | %s |" % (" | ".join(titles), " | ".join(targets))]
    lines.append("|" + " --- |" * (len(titles) + len(targets)))
    for key, row in rows.items():
        shown = [show(row[target]) if target in row else "" for target in targets]
        lines.append("| %s |" % " | ".join([*key, *shown]))
    return lines


def _counts(cells):
    """How many of some cells are exact, approximate, refused, not as said."""
    wrong = sum(not cell.is_as_said() for cell in cells)
    refused = sum(cell.refusal is not None for cell in cells)
    inexact = sum(bool(cell.inexact) and cell.is_as_said() for cell in cells)
    shown = ["%d" % (len(cells) - wrong - refused - inexact)]
    shown += ["%d%s" % (n, mark) for n, mark in ((inexact, "~"), (refused, "x")) if n]
    return " ".join(shown + (["**%d wrong**" % wrong] if wrong else []))


# Sizes, which differ from case to case.
_NUMBERS = re.compile(r"\d+\.\d+e-\d+")


def _reasons(pairs):
    """Each reason once, with the cases and targets it is about."""
    found = collections.OrderedDict()
    for cell, reason in pairs:
        reason = reason.split(archives.file_of(cell.era, cell.case))[-1].strip("': ")
        reason = _NUMBERS.sub("…", reason)
        found.setdefault(reason, []).append((cell.case, cell.target))
    lines = []
    for reason, places in found.items():
        lines.append(_shown_reason(reason, *map(set, zip(*places))))
    return lines or ["- none"]


def _shown_reason(reason, cases, targets):
    return "- %s — %s to %s" % (reason, ", ".join(sorted(cases)), ", ".join(sorted(targets)))


def put(path, mark, text, add=False):
    """Replace what is between the marks, or `add` columns of other targets to it."""
    first, last = "<!-- %s -->\n" % mark, "<!-- /%s -->" % mark
    with open(path) as opened:
        before, _, rest = opened.read().partition(first)
    old, found, after = rest.partition(last)
    if add and old.strip():
        text = joined(old.strip(), text)
    if not found:
        raise SystemExit("%s has no marks %s and %s" % (path, first.strip(), last))
    with open(path, "w") as opened:
        opened.write(before + first + text + "\n" + last + after)


def joined(old, new):
    """A table of cells with its reasons, and one of the same rows for other targets."""
    pairs = [(_parsed(old)[place], _parsed(new)[place]) for place in range(3)]
    rows, reasons = pairs[0], pairs[1:]
    added = set(next(iter(rows[1].values())))
    # Of a column that is there in part, nobody knows which reasons are still true.
    replaced = added if set(rows[0]) <= set(rows[1]) else set()
    targets = [one for one in TARGETS if one in next(iter(rows[0].values())) or one in added]
    lines = ["| source | case | %s |" % " | ".join(targets)]
    lines.append("|" + " --- |" * (2 + len(targets)))
    for key in collections.OrderedDict.fromkeys([*rows[0], *rows[1]]):
        row = dict(rows[0].get(key, {}), **rows[1].get(key, {}))
        lines.append("| %s |" % " | ".join([*key, *(row.get(one, "") for one in targets)]))
    for title, (before, after) in zip(("Refused:", "Approximate (~):"), reasons):
        lines += ["", title, ""]
        found = collections.OrderedDict(
            (reason, (cases, kept))
            for reason, (cases, of_targets) in before.items()
            for kept in [of_targets - replaced]
            if kept
        )
        for reason, (cases, of_targets) in after.items():
            known = found.get(reason, (set(), set()))
            found[reason] = (known[0] | cases, known[1] | of_targets)
        lines += [_shown_reason(reason, *places) for reason, places in found.items()] or ["- none"]
    return "\n".join(lines)


def _parsed(text):
    """A table's places by row and target; cases and targets of each reason of two lists."""
    table, refused, approximate = re.split(r"\n+(?:Refused|Approximate \(~\)):\n+", text)
    cells = [[one.strip() for one in line.strip("| ").split(" |")] for line in table.splitlines()]
    rows = collections.OrderedDict(
        (tuple(row[:2]), dict(zip(cells[0][2:], row[2:]))) for row in cells[2:]
    )
    found = [rows]
    for lines in (refused, approximate):
        reasons = collections.OrderedDict()
        for line in lines.splitlines():
            reason, dash, places = line[2:].rpartition(" — ")
            if dash:
                cases, _, targets = places.partition(" to ")
                reasons[reason] = (set(cases.split(", ")), set(targets.split(", ")))
        found.append(reasons)
    return found


def record(options):
    """Write the sources again with the real packages; compare with the committed ones."""
    differing = 0
    for era in options.source:
        with tempfile.TemporaryDirectory() as folder:
            python = environments.python_of(problem.ERAS[era].environment, options.environments)
            script = os.path.join(problem.FOLDER, "write_sources.py")
            cases = [one for one in problem.cases_of(era) if one in (options.case or [one])]
            surroundings = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", PYTHONWARNINGS="ignore")
            command = [python, script, era, folder]
            for case in cases:
                command += ["--only", case]
            done = subprocess.run(
                command, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            if done.returncode:
                print(done.stderr.decode()[-2000:])
                return 1
            for case in cases:
                found = np.load(os.path.join(folder, era, case + ".npz"))
                far = differing_arrays(archives.recorded_of(era, case), found)
                differing += len(far)
                if far:
                    print("%s %s differs: %s" % (era, case, ", ".join(far)))
            if options.replace and not options.case and problem.ERAS[era].archived:
                archives.pack(os.path.join(folder, era), archives.archive_of(era))
        print("%s: recorded again" % era, flush=True)
    print("%d arrays differ" % differing)
    return 1 if differing else 0


def differing_arrays(path, found):
    """Names of the recorded arrays that were not recorded again."""
    if not os.path.exists(path):
        return ["all: there was none"]
    expected = np.load(path)
    return [
        name
        for name in expected.files
        if name not in found.files
        or expected[name].shape != found[name].shape
        or not np.allclose(np.float64(expected[name]), np.float64(found[name]), 1e-6, 1e-6)
    ]


def models(options):
    """Build the models of tests/checkpoint/model_config_eras.py in every package; try all pairs."""
    script = os.path.join(ROOT, "tests", "checkpoint", "model_config_eras.py")
    names = sorted(environments.ENVIRONMENTS)
    quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for step in ("build", "check"):
            for name in names:
                python = environments.python_of(name, options.environments)
                command = [python, script, step, name, folder]
                done = subprocess.run(command + (names if step == "check" else []), **quiet)
                lines = [line for line in done.stdout.decode().splitlines() if " -> " in line]
                good = sum(" ok" in line for line in lines)
                refused = sum("refused" in line for line in lines)
                if step == "check":
                    print("%s: %d the same, %d refused" % (name, good, refused), flush=True)
                if done.returncode:
                    failed.append(name)
                    print("\n".join(line for line in lines if " ok" not in line))
    print("failed: %s" % (", ".join(failed) or "none"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
