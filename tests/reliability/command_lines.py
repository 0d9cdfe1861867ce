"""Random command lines: exit status 0, 1 or 2, no traceback, nothing written where refused.

python -m tests.reliability.command_lines --count 2000        # a few minutes
"""

import argparse
import os
import random
import shutil
import sys
import tempfile

from tests.checkpoint import fuzz

SOURCES = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "eras", "sources"
)
WHOLE = (
    ("tf-keras-1.10", "adam.h5"),
    ("keras-2.3", "nadam.h5"),
    ("optimizer-v2-2.15", "rmsprop_decay.h5"),
    ("keras-3", "adam.keras"),
)
# Formats that need TensorFlow, which takes seconds to import, are left to other tests.
FORMATS = ["keras-optimizers", "tf-keras-1.10", "keras-2.2", "keras-2.3", "optimizer-v2", "keras-3"]
NUMBERS = ["0", "1", "-1", "4", "1e30", "nan", "inf", "-inf", "1e400", "x", "", "0x10", "9" * 400]
TEXTS = ["", "x", "--", "-", "=", "lr", "lr=", "=1", "lr=0.1", "lr=x", "lr=[1]", "lr=null", "Adam"]
TEXTS += ["nesterov=true", "lr=1e400", "learning_rate=1", "\udcff", "a\nb", "x" * 5000, "*", "../x"]
COMMANDS = {
    "inspect": (1, ["--json", "--no-norms", "--class", "--model"]),
    "migrate": (
        2,
        ["--to", "--in-place", "--overwrite", "--strict", "--dry-run", "--iterations", "--set"]
        + ["--json", "--report", "--class", "--model", "--scope", "--keras-version"],
    ),
    "verify": (2, ["--seed", "--tolerance", "--iterations", "--json", "--class", "--model"]),
    "conformance": (0, ["--list", "--reference", "--history", "--level", "--nothing"]),
    "": (0, ["--help", "--version", "--nothing"]),
    "nothing": (1, []),
}
FLAGS = {"--json", "--no-norms", "--in-place", "--overwrite", "--strict", "--dry-run", "--list"}
FLAGS |= {"--help", "--version", "--nothing"}


def a_whole_file(folder, choose):
    return os.path.join(folder, "-".join(choose.choice(WHOLE)))


def paths(folder, choose):
    """A whole file, or something that is none."""
    return choose.choice(
        [
            lambda: a_whole_file(folder, choose),
            lambda: a_whole_file(folder, choose),
            lambda: os.path.join(
                folder, "new" + choose.choice([".h5", ".keras", ".weights.h5", ""])
            ),
            lambda: choose.choice([folder, "/dev/null", "/", "", "no/such/folder/x.h5", "."]),
            lambda: os.path.join(folder, choose.choice(["empty", "text", "broken.h5"])),
        ]
    )()


def command_line(folder, choose):
    """A command with arguments; half of them are meant, the others at random."""
    if choose.random() < 0.5:
        return meant_command_line(folder, choose)
    name = choose.choice(list(COMMANDS))
    count, options = COMMANDS[name]
    given = [name] if name else []
    given += [paths(folder, choose) for _ in range(count + choose.choice([0, 0, 0, 0, -1, 1]))]
    if name == "migrate" and choose.random() < 0.9:
        given += ["--to", choose.choice([*FORMATS, *FORMATS, "keras-4", ""])]
    if name == "conformance" and "--list" not in given:
        given += [choose.choice(["--list", "--nothing", "no.module:x"])]
    for option in choose.sample(options, min(len(options), choose.choice([0, 0, 1, 2, 3]))):
        given.append(option)
        if option in FLAGS:
            continue
        if option in ("--model", "--report", "--history"):
            given.append(paths(folder, choose))
        else:
            given.append(choose.choice([*NUMBERS, *TEXTS, *FORMATS]))
    return given


def meant_command_line(folder, choose):
    """A command whose places are right, with options that need no value; some with a report."""
    source = a_whole_file(folder, choose)
    given = choose.choice(
        [
            ["inspect", source],
            ["verify", source, a_whole_file(folder, choose)],
            ["migrate", source, os.path.join(folder, "new.h5"), "--to", choose.choice(FORMATS[:5])],
            ["migrate", source, os.path.join(folder, "new.keras"), "--to", "keras-3"],
        ]
    )
    options = [option for option in COMMANDS[given[0]][1] if option in FLAGS - {"--in-place"}]
    given += choose.sample(options, min(len(options), choose.choice([0, 1, 2])))
    if given[0] == "migrate" and choose.random() < 0.3:
        given += ["--report", paths(folder, choose)]
    return given


def prepare(folder):
    """Copies of whole files, which a command may replace, and other files."""
    for names in WHOLE:
        copy = os.path.join(folder, "-".join(names))
        shutil.copyfile(os.path.join(SOURCES, *names), copy)
    with open(copy, "rb") as whole, open(os.path.join(folder, "broken.h5"), "wb") as broken:
        broken.write(whole.read()[:3000])
    for name, content in (("empty", ""), ("text", "no checkpoint\n")):
        with open(os.path.join(folder, name), "w") as opened:
            opened.write(content)


def contents(folder):
    """What is in a folder, by name."""
    found = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as opened:
            found[name] = opened.read()
    return found


def failures(count, seed, progress=lambda number: None):
    """What went wrong, a line each; and how often each exit status came."""
    found, tally = [], {}
    for number in range(count):
        choose = random.Random(seed * 1000003 + number)
        folder, log = tempfile.mkdtemp(), tempfile.mktemp()
        try:
            prepare(folder)
            before = contents(folder)
            command = command_line(folder, choose)
            try:
                status, seconds = fuzz.run(command, log)
            except Exception as error:
                found.append("%d %r: %r" % (number, command, error))
                continue
            with open(log, errors="replace") as opened:
                said = opened.read()
            after = contents(folder)
            tally[status] = tally.get(status, 0) + 1
            wrong = []
            if status not in (0, 1, 2):
                wrong.append("exit status %s" % status)
            if "Traceback" in said:
                wrong.append("a traceback: %s" % said.strip().splitlines()[-1])
            if status and not said.strip():
                wrong.append("no message")
            # A backup counts. `--overwrite` may replace one file, the target.
            whole = ["-".join(names) for names in WHOLE]
            lost = [name for name in whole if before[name] not in after.values()]
            if len(lost) > ("--overwrite" in command):
                wrong.append("lost: %s" % lost)
            if status == 2 and before != after and "is written" not in said:
                wrong.append("changed: %s" % sorted(set(after) ^ set(before)))
            if any(name.endswith(".partial") for name in after):
                wrong.append("left behind")
            if seconds > 60:
                wrong.append("%d seconds" % seconds)
            if wrong:
                found.append("%d %r: %s" % (number, command, wrong))
        finally:
            shutil.rmtree(folder)
            if os.path.exists(log):
                os.remove(log)
        progress(number + 1)
    return found, tally


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found, tally = failures(options.count, options.seed)
    shown = ", ".join("%s: %d" % pair for pair in sorted(tally.items()))
    print("\n".join([*found, "exit statuses: %s" % shown]))
    print("command lines: %d, %d failures" % (options.count, len(found)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
