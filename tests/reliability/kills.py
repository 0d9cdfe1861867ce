"""Kill training runs at random moments, let them go on, and see what they go on from.

    python -m tests.reliability.kills                    # 30 kills each of fit, saver, estimator
                                                         # and a parameter server: ten minutes
    python -m tests.reliability.kills --kills 5 --kind fit --seed 7

Prints a line a kind, and exits with 1 if a run went on from a state that had not been saved.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "training_that_is_killed.py")
KINDS = ("fit", "saver", "estimator", "parameter_server")
# A run has started within so many seconds, also on a busy machine.
LONGEST_START = 120


def lines_of(folder, name):
    """(hash, step) of each state in one of the lists that a training run keeps."""
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return []
    with open(path) as opened:
        # The last line may have been cut by a kill.
        return [tuple(line.split()) for line in opened.read().split("\n")[:-1]]


def run_and_kill(kind, folder, seconds):
    """Let the training run save some new states, then kill it and its servers after `seconds`.

    Raises:
        RuntimeError: If it ends by itself, or saves nothing.
    """
    before = len(lines_of(folder, "saved"))
    with open(os.path.join(folder, "errors"), "w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", PROGRAM, kind, folder],
            stdout=errors,
            stderr=errors,
            start_new_session=True,  # with a process group of its own, which is killed
        )
    started = time.time()
    try:
        # A state is noted before it is saved: the third one is there when the fourth is noted.
        while len(lines_of(folder, "saved")) < before + 4:
            if process.poll() is not None or time.time() - started > LONGEST_START:
                with open(os.path.join(folder, "errors")) as errors:
                    raise RuntimeError("%s does not train: %s" % (kind, errors.read()[-2000:]))
            time.sleep(0.01)
        time.sleep(seconds)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wrong_states(kind, kills, seed, folder, progress=lambda number: None):
    """What runs went on from although it had not been saved, and how many went on at all.

    Each run but the first goes on from what the one before left behind.
    """
    choose = random.Random(seed)
    for number in range(kills + 1):
        run_and_kill(kind, folder, choose.uniform(0, 0.5))
        progress(number)
    return judged(folder)


def judged(folder):
    """What runs went on from although it had not been saved, and how many went on at all."""
    saved, restored = set(lines_of(folder, "saved")), lines_of(folder, "restored")
    steps = [int(step) for _, step in restored]
    wrong = [one for one in restored if one not in saved]
    # Each run saved something, so the next one must find at least that or what came before it.
    wrong += [("went back to", step) for last, step in zip(steps, steps[1:]) if step < last]
    return wrong, len(restored)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = 0
    for kind in options.kind or KINDS:
        with tempfile.TemporaryDirectory() as folder:
            wrong, count = wrong_states(kind, options.kills, options.seed, folder)
            torsos = len(lines_of(folder, "torsos"))
        print(
            "%s: %d kills, %d runs went on from a saved state, %d unreadable files passed over, "
            "%d wrong states" % (kind, options.kills + 1, count - len(wrong), torsos, len(wrong)),
            flush=True,
        )
        failed += bool(wrong) or count < options.kills
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
