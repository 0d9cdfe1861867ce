"""Every source x every target: convert, load with the target's own loader, go on, compare.

    python tests/eras/matrix.py                                  # all, from the committed sources
    python tests/eras/matrix.py --source keras-2.3 --target keras-3
    python tests/eras/matrix.py --write docs/migration.md        # and put the table there
    python tests/eras/matrix.py --record                         # write the sources again, compare
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
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import environments
import numpy as np
import problem
from go_on import TARGETS

ROOT = environments.ROOT
SOURCES = os.path.join(problem.FOLDER, "sources")
# Layouts that do not hold the number of finished steps, for the classes that leave it out.
DROPS_ITERATIONS = ("tf-keras-1.10", "keras-2.2", "tf-keras-1.15-v1", "ours")
# What a graph holds as constants, so that no Saver or object checkpoint has it.
CONSTANTS = ("nesterov", "clipnorm", "schedule_decay")
TF_TRAIN_RATES = {"Adagrad": 0.01, "RMSprop": 0.001, "Adadelta": 1.0, "Adam": 0.001}
UNCOUNTED = ("RMSprop", "Adagrad", "Adadelta")
EXACT = 1e-5
SLOTS_EXACT = 1e-5  # relative to the slot's largest element


def source_file(era, case):
    """The committed file."""
    return os.path.join(SOURCES, era, case + problem.KERAS_ERAS[era][1])


def migrate_options(era, case, target):
    """What a user has to say because the source's file does not."""
    class_name, arguments, _ = problem.CASES[case]
    options = []
    if era in DROPS_ITERATIONS and class_name in UNCOUNTED:
        options += ["--iterations", str(problem.SAVE_AFTER)]
    if era.startswith(("saver", "object")):
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
        model = "optimizer-v2-1.15" if era != "object-2.15" else "optimizer-v2-2.15"
        options += ["--model", source_file(model, case)]
        if class_name == "SGD" and era == "saver-tf-train" and not arguments.get("momentum"):
            options += ["--class", "SGD"]
        if era.startswith("object") and class_name in ("Adam", "Adamax"):
            options += ["--class", class_name]
    return options


def missing_slots(saved, loaded, rescaled):
    """Shapes of the slots that the source's optimizer had and the target's has not.

    Arguments:
        saved, loaded: arrays named `state_…` and `loaded_…`. Scalars, slots of zeros and the
            placeholders of one element that some eras have are no slots.
        rescaled: the target's may be a multiple of the source's.
    """
    remaining = [loaded[name] for name in loaded.files if name.startswith("loaded")]
    missing = []
    for name in saved.files:
        slot = saved[name]
        if not name.startswith("state") or slot.size < 2 or not slot.any():
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
        self.recorded = os.path.join(SOURCES, era, case + ".npz")

    def conversion(self, damage=None):
        return {
            "damage": damage,
            "state": self.recorded,
            "source": source_file(self.era, self.case),
            "target": self.file,
            "to": TARGETS[self.target][1],
            "options": migrate_options(self.era, self.case, self.target),
            "report": self.report_file,
        }

    def is_plain(self):
        """Whether no TensorFlow is needed."""
        return all((problem.KERAS_ERAS[self.era][1], TARGETS[self.target][2]))

    def take_report(self):
        with open(self.report_file) as opened:
            report = json.load(opened)
        self.refusal = report.get("refused")
        self.report = None if self.refusal else report

    def job(self):
        options = {
            name: value
            for name, value in self.report["hyperparameters"].items()
            if name not in ("epsilon_inside_root", "centered")
        }
        if not self.is_sgd():
            options.pop("momentum", None)
        return {"case": self.case, "file": self.file, "output": self.output, "options": options}

    def is_sgd(self):
        return problem.CASES[self.case][0] == "SGD"

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
        if any("optimizer" in one for one in told if "state" in one):
            self.problem = "loaded without its state: " + told[0][:150]
        unused = self.velocity() == "left out, unused"
        missing = [] if unused else missing_slots(expected, found, self.rescaled())
        if missing:
            self.problem = "lost slots of the shapes %s" % ", ".join(map(str, missing))

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
        return problem.CASES[self.case][2] == "sequential" and index in (4, 5)

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
    parser.add_argument("--source", action="append", choices=sorted(problem.KERAS_ERAS))
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    parser.add_argument("--case", action="append", choices=sorted(problem.CASES))
    parser.add_argument("--environments", default=os.path.join(ROOT, ".eras"))
    parser.add_argument("--write", metavar="FILE", help="put the table between its marks in FILE")
    parser.add_argument("--record", action="store_true", help="write the sources again; compare")
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
    text = markdown(cells)
    print(text)
    if options.write:
        put(options.write, text)
    wrong = [cell for cell in cells if not cell.is_as_said()]
    for cell in wrong:
        print("NOT AS SAID:", cell.era, cell.case, cell.target, cell.problem or cell.difference)
    print("%d cells, %d not as the report said" % (len(cells), len(wrong)))
    return 1 if wrong else 0


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
        for era in options.source or problem.KERAS_ERAS
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


def markdown(cells):
    """The table: rows are sources and cases, columns targets; then the reasons."""
    targets = [target for target in TARGETS if any(cell.target == target for cell in cells)]
    rows = collections.OrderedDict()
    for cell in cells:
        rows.setdefault((cell.era, cell.case), {})[cell.target] = cell
    lines = ["| source | case | " + " | ".join(targets) + " |"]
    lines.append("| --- | --- |" + " --- |" * len(targets))
    for (era, case), row in rows.items():
        shown = [row[target].shown() if target in row else "" for target in targets]
        lines.append("| %s | %s | %s |" % (era, case, " | ".join(shown)))
    lines += ["", "Refused:", ""]
    lines += _reasons((cell, cell.refusal) for cell in cells if cell.refusal)
    lines += ["", "Approximate (~):", ""]
    lines += _reasons(
        (cell, "%s %s: %s" % (field["field"], field["status"], field["explanation"]))
        for cell in cells
        for field in cell.inexact
    )
    return "\n".join(lines)


def _reasons(pairs):
    """Each reason once, with the cases and targets it is about."""
    found = collections.OrderedDict()
    for cell, reason in pairs:
        reason = reason.split(source_file(cell.era, cell.case))[-1].strip("': ")
        found.setdefault(reason, []).append((cell.case, cell.target))
    lines = []
    for reason, places in found.items():
        cases = ", ".join(sorted({case for case, _ in places}))
        targets = ", ".join(sorted({target for _, target in places}))
        lines.append("- %s — %s to %s" % (reason, cases, targets))
    return lines or ["- none"]


def put(path, text):
    """Replace what is between the marks."""
    with open(path) as opened:
        before, _, rest = opened.read().partition("<!-- matrix -->\n")
    _, mark, after = rest.partition("<!-- /matrix -->")
    if not mark:
        raise SystemExit("%s has no marks <!-- matrix --> and <!-- /matrix -->" % path)
    with open(path, "w") as opened:
        opened.write(before + "<!-- matrix -->\n" + text + "\n<!-- /matrix -->" + after)


def record(options):
    """Write the sources again with the real packages; compare with the committed ones."""
    differing = 0
    for era in options.source or problem.KERAS_ERAS:
        with tempfile.TemporaryDirectory() as folder:
            python = environments.python_of(problem.KERAS_ERAS[era][0], options.environments)
            script = os.path.join(problem.FOLDER, "write_sources.py")
            command = [python, script, era, folder]
            for case in options.case or []:
                command += ["--only", case]
            surroundings = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", PYTHONWARNINGS="ignore")
            done = subprocess.run(
                command, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            if done.returncode:
                print(done.stderr.decode()[-2000:])
                return 1
            for case in options.case or problem.cases_of(era):
                expected = np.load(os.path.join(SOURCES, era, case + ".npz"))
                found = np.load(os.path.join(folder, era, case + ".npz"))
                far = [
                    name
                    for name in expected.files
                    if name not in found.files
                    or np.abs(np.float64(expected[name]) - np.float64(found[name])).max() > 1e-6
                ]
                differing += len(far)
                if far:
                    print("%s %s differs: %s" % (era, case, ", ".join(far)))
        print("%s: recorded again" % era, flush=True)
    print("%d arrays differ" % differing)
    return 1 if differing else 0


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
