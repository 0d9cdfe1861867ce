"""Folders into which pip puts single packages: without dependencies, one beside the other."""

import glob
import os
import subprocess
import sys
import tarfile

_PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def installed(requirements, folder):
    """A folder for PYTHONPATH that holds `requirements` and nothing that they need."""
    home = os.path.join(folder, "_".join(requirements).replace("==", "-"))
    if not os.path.exists(os.path.join(home, "complete")):
        command = [*_PIP, "install", "--no-deps", "--upgrade", "--target", home, *requirements]
        subprocess.run(command, check=True)
        open(os.path.join(home, "complete"), "w").close()
    return home


def source_of(requirement, folder):
    """The unpacked source release of `requirement`."""
    home = os.path.join(folder, "source-" + requirement.replace("==", "-"))
    if not os.path.exists(os.path.join(home, "complete")):
        command = [*_PIP, "download", "--no-deps", "--no-binary", ":all:", "--dest", home]
        subprocess.run([*command, requirement], check=True)
        for archive in glob.glob(os.path.join(home, "*.tar.gz")):
            with tarfile.open(archive) as opened:
                opened.extractall(home)
        open(os.path.join(home, "complete"), "w").close()
    (unpacked,) = (path for path in glob.glob(os.path.join(home, "*")) if os.path.isdir(path))
    return unpacked
