"""The environments of the real packages: the one list that tox and the matrix use."""

import json
import os
import subprocess
import sys

_OLD = ("h5py<3", "protobuf<3.20", "numpy<1.19")
ENVIRONMENTS = {
    "tf110": ("3.6", ["tensorflow==1.10.0", "h5py<3", "protobuf<3.20"]),
    "tf115": ("3.7", ["tensorflow==1.15.5", "protobuf<3.21"]),
    "keras224": ("3.6", ["tensorflow==1.10.0", "keras==2.2.4", "h5py<3", "protobuf<3.20"]),
    "keras231": ("3.7", ["tensorflow==1.15.5", "keras==2.3.1", "protobuf<3.21", "h5py<3"]),
    "tf215": ("3.11", ["tensorflow-cpu==2.15.1"]),
    "keras3": ("3.11", ["tensorflow-cpu==2.19.1", "tf_keras==2.19.0", "keras==3.15.1"]),
    # Sources alone. A TensorFlow before 1.14 needs nothing of the standalone Keras beside it.
    "tf14": ("3.6", ["tensorflow==1.4.1", "keras==2.0.5", *_OLD]),
    "tf18": ("3.6", ["tensorflow==1.8.0", "keras==2.0.9", *_OLD]),
    "tf19": ("3.6", ["tensorflow==1.9.0", "keras==2.1.6", *_OLD]),
    "tf112": ("3.6", ["tensorflow==1.12.3", *_OLD]),
    "tf113": ("3.7", ["tensorflow==1.13.2", *_OLD]),
    "tf114": ("3.7", ["tensorflow==1.14.0", *_OLD]),
    "tf20": ("3.7", ["tensorflow==2.0.4", *_OLD]),
    "tf24": ("3.8", ["tensorflow-cpu==2.4.4", "keras==2.4.3", "protobuf<3.21"]),
    "tf28": ("3.8", ["tensorflow-cpu==2.8.4", "protobuf<3.21"]),
    "tf210": ("3.10", ["tensorflow-cpu==2.10.1", "numpy<1.24"]),
    "tf211": ("3.8", ["tensorflow-cpu==2.11.1", "numpy<1.24"]),
    "tf212": ("3.9", ["tensorflow-cpu==2.12.1"]),
    "tf213": ("3.11", ["tensorflow-cpu==2.13.1"]),
    "tf214": ("3.11", ["tensorflow-cpu==2.14.1"]),
    "keras30": ("3.11", ["tensorflow-cpu==2.16.2", "keras==3.0.5"]),
    "keras34": ("3.11", ["tensorflow-cpu==2.17.1", "keras==3.4.1"]),
    "tf221": ("3.12", ["tensorflow-cpu==2.21.0", "tf_keras==2.21.0"]),
    "keras38": ("3.11", ["tensorflow-cpu==2.18.1", "keras==3.8.0"]),
}
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def version_of(name, package):
    """The version of a package that an environment pins."""
    for requirement in ENVIRONMENTS[name][1]:
        if requirement.startswith(package + "=="):
            return requirement.partition("==")[2]
    raise SystemExit("%s pins no %s" % (name, package))


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
