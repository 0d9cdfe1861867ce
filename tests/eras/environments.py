"""The environments of the real packages: the one list that tox and the matrix use."""

import json
import os
import subprocess
import sys

ENVIRONMENTS = {
    "tf110": ("3.6", ["tensorflow==1.10.0", "h5py<3", "protobuf<3.20"]),
    "tf115": ("3.7", ["tensorflow==1.15.5", "protobuf<3.21"]),
    "keras224": ("3.6", ["tensorflow==1.10.0", "keras==2.2.4", "h5py<3", "protobuf<3.20"]),
    "keras231": ("3.7", ["tensorflow==1.15.5", "keras==2.3.1", "protobuf<3.21", "h5py<3"]),
    "tf215": ("3.11", ["tensorflow-cpu==2.15.1"]),
    "keras3": ("3.11", ["tensorflow-cpu==2.19.1", "tf_keras==2.19.0", "keras==3.15.1"]),
}
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def python_of(name, folder):
    """The Python of an environment in `folder`, which is made where it is not there yet.

    Raises:
        SystemExit: If there is no Python of that version.
    """
    version, requirements = ENVIRONMENTS[name]
    home = os.path.join(folder, name)
    python = os.path.join(home, "bin", "python")
    stamp = os.path.join(home, "complete")
    wanted = json.dumps([version, requirements])
    if os.path.exists(stamp):
        with open(stamp) as opened:
            if opened.read() == wanted:
                return python
    base = subprocess.run(
        [os.path.join(ROOT, "ci", "find-python"), version], stdout=subprocess.PIPE
    )
    if base.returncode:
        raise SystemExit(base.returncode)
    print("Making the environment %s: %s" % (home, " ".join(requirements)), file=sys.stderr)
    found = base.stdout.decode().strip()
    subprocess.run([found, "-m", "venv", "--clear", home], check=True)
    pip = [python, "-m", "pip", "install", "--quiet"]
    if version in ("3.6", "3.7"):  # the last pip that runs there; later ones need later Pythons
        subprocess.run(pip + ["--upgrade", "pip>=21.3,<22"], check=True)
    subprocess.run(pip + requirements, check=True)
    with open(stamp, "w") as opened:
        opened.write(wanted)
    return python
