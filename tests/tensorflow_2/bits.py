"""Which optimizer equals TensorFlow 1.10 to the bit on which TensorFlow: the table of a page.

    python tests/tensorflow_2/bits.py --write docs/hosts/tensorflow-2.md
    python tests/tensorflow_2/bits.py --only tf24 --only tf215     # prints the table alone
    python tests/tensorflow_2/bits.py --here                       # of this TensorFlow, as JSON

Each column is measured in that TensorFlow itself, in an environment that is made as for the matrix
of checkpoints (`tests/eras/environments.py`).
"""

import argparse
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if __name__ == "__main__":
    sys.path.insert(0, ROOT)

from tests.eras import environments  # noqa: E402

# The environments, the oldest TensorFlow first.
COLUMNS = ["tf115", "tf24", "tf28", "tf210", "tf215", "keras3", "tf221"]
REFERENCE = "tf-1.10"
# Gradients that are zero, huge or no numbers: where 1.10's roots of infinity are no numbers.
LEFT_OUT = "extreme values"


def here():
    """Of this TensorFlow: its version, and by class how many cases are equal to what."""
    from keras_optimizers.scripts import tensorflow_1

    tensorflow_1.prepare()
    tensorflow_1.graph_mode()
    import tensorflow.compat.v1 as tf

    import keras_optimizers
    from keras_optimizers.conformance import load_reference
    from keras_optimizers.conformance.recorder import cases, hosts, training
    from keras_optimizers.tensorflow_private import HOST_OPTIMIZERS, KERAS

    tf.logging.set_verbosity(tf.logging.ERROR)
    host = hosts.Host(tf, KERAS)
    recorded, of_1_15 = load_reference(REFERENCE), load_reference("tf-1.15")
    found = {}
    for name, case in cases.CASES.items():
        if case.problem == LEFT_OUT or name not in recorded.case_names() or recorded.refusal(name):
            continue
        if distance(recorded.trace(name), of_1_15.trace(name)):
            continue  # the rule itself has changed: see docs/behaviour.md
        ours = training.run_case(host, getattr(keras_optimizers, case.class_name), case)
        theirs = training.run_case(host, getattr(HOST_OPTIMIZERS, case.class_name), case)
        of_class = found.setdefault(case.class_name, {"own": [], "recorded": []})
        of_class["own"].append(distance(theirs, ours))
        of_class["recorded"].append(distance(recorded.trace(name), ours))
    return {"version": tf.__version__, "classes": found}


def distance(expected, actual):
    """The largest difference of a parameter, in units in the last place of its largest number."""
    import numpy as np

    largest = 0.0
    for name, values in expected.arrays.items():
        if name.startswith("parameter"):
            for one, other in zip(values, actual.arrays[name]):
                unit = np.spacing(np.max(np.abs(one)))
                largest = max(largest, float(np.max(np.abs(one - other)) / unit))
    return largest


def measured_in(environment, folder):
    """What `here` gives in an environment."""
    python = environments.python_of(environment, folder)
    variables = dict(os.environ, PYTHONPATH=ROOT, TF_CPP_MIN_LOG_LEVEL="3")
    done = subprocess.run(
        [python, os.path.abspath(__file__), "--here"], env=variables, stdout=subprocess.PIPE
    )
    if done.returncode:
        raise SystemExit(f"{environment}: the run failed")
    return json.loads(done.stdout.decode().splitlines()[-1])


def cell(distances):
    """Such as "equal", or "2 of 5 equal, else at most 3 ulp"."""
    equal = sum(distance == 0 for distance in distances)
    if equal == len(distances):
        return "equal"
    return f"{equal} of {len(distances)} equal, else {max(distances):.3g} ulp"


def table(columns):
    """In Markdown, of what `here` gave in each environment."""
    names = list(columns[0]["classes"])
    lines = ["| | " + " | ".join(column["version"] for column in columns) + " |"]
    lines.append("| --- " * (len(columns) + 1) + "|")
    for name in names:
        cells = [cell(column["classes"][name]["recorded"]) for column in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    own = [[one for of in column["classes"].values() for one in of["own"]] for column in columns]
    cells = [f"{sum(one == 0 for one in of)} of {len(of)}" for of in own]
    lines.append("| equal to its own old classes | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--here", action="store_true", help="measure this TensorFlow alone")
    parser.add_argument("--only", action="append", choices=COLUMNS, help="these environments")
    parser.add_argument("--write", metavar="PAGE", help="put the table into the page")
    parser.add_argument(
        "--environments",
        default=os.path.join(ROOT, ".eras"),
        help="the folder of the environments, which are made where they are missing",
    )
    options = parser.parse_args()
    if options.here:
        print(json.dumps(here()))
        return
    columns = []
    for environment in options.only or COLUMNS:
        print(f"measuring in {environment}", file=sys.stderr)
        columns.append(measured_in(environment, options.environments))
    made = table(columns)
    print(made)
    if options.write:
        with open(options.write, encoding="utf-8") as opened:
            page = opened.read()
        between = re.compile("(<!-- bits -->\n).*(<!-- /bits -->)", re.DOTALL)
        with open(options.write, "w", encoding="utf-8") as opened:
            opened.write(
                between.sub(lambda found: found.group(1) + made + "\n" + found.group(2), page)
            )


if __name__ == "__main__":
    main()
