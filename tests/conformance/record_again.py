"""Install an upstream version, record it again, and compare with the recording that is shipped.

    python tests/conformance/record_again.py tf-1.10            # compare
    python tests/conformance/record_again.py tf-1.10 --write    # replace the recording

The environments are kept in `.recorders/` of the checkout. `tox -e record-tf-1.10` runs this.
"""

import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, ".recorders")
RECORDER = os.path.join(ROOT, "keras_optimizers", "conformance", "recorder")
sys.path.insert(0, ROOT)

from keras_optimizers.conformance.recorder.hosts import REFERENCES  # noqa: E402


def python_of(reference):
    """The Python of the environment of a reference, which is made where it is not there yet.

    Raises:
        SystemExit: If there is no Python of the version that it needs.
    """
    home = os.path.join(FOLDER, reference.name)
    python = os.path.join(home, "bin", "python")
    stamp = os.path.join(home, "complete")
    wanted = json.dumps([reference.python, reference.requirements])
    if os.path.exists(stamp):
        with open(stamp) as opened:
            if opened.read() == wanted:
                return python
    find = [os.path.join(ROOT, "ci", "find-python"), reference.python]
    base = subprocess.run(find, stdout=subprocess.PIPE)
    if base.returncode:
        raise SystemExit(base.returncode)
    print("making %s: %s" % (home, " ".join(reference.requirements)), file=sys.stderr, flush=True)
    subprocess.run([base.stdout.decode().strip(), "-m", "venv", "--clear", home], check=True)
    pip = [python, "-m", "pip", "install", "--quiet"]
    if reference.python in ("3.6", "3.7"):  # the last pip that runs there
        subprocess.run(pip + ["--upgrade", "pip>=21.3,<22"], check=True)
    subprocess.run(pip + reference.requirements, check=True)
    with open(stamp, "w") as opened:
        opened.write(wanted)
    return python


def main(arguments):
    """Compare or write; the exit status."""
    names = [name for name in arguments if not name.startswith("--")]
    if len(names) != 1 or names[0] not in REFERENCES:
        print("one of: %s" % ", ".join(REFERENCES), file=sys.stderr)
        return 2
    options = [] if "--write" in arguments else ["--compare"]
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", PYTHONDONTWRITEBYTECODE="1")
    environment.pop("PYTHONPATH", None)
    command = [python_of(REFERENCES[names[0]]), RECORDER, names[0]] + options
    return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
