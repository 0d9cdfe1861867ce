"""What is released: the sdist's list of files, the bounds, the locked packages, the notices."""

import configparser
import fnmatch
import glob
import os
import re
import subprocess

import pytest
from packaging.requirements import Requirement

from tests.pages import ROOT

try:
    import tomllib
except ImportError:
    import tomli as tomllib  # pytest brings it where Python has none

with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as _file:
    PYPROJECT = tomllib.loads(_file.read())
PROJECT = PYPROJECT["project"]
LOCKS = sorted(glob.glob(os.path.join(ROOT, "ci", "requirements", "python-*.txt")))
# Files that hold no data: they have a licence by being in the repository.
TEXTS = (".py", ".md", ".toml", ".ini", ".in", ".txt", ".yaml", ".typed", ".cc", ".h", ".sh")


def committed():
    """The files that git holds, or a skip where there is no git."""
    if not os.path.exists(os.path.join(ROOT, ".git")):
        pytest.skip("not a checkout")
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return names.stdout.decode().splitlines()


def locked(path):
    """Releases by the names of packages."""
    with open(path) as file:
        return dict(re.findall(r"^([\w.-]+)==(\S+)", file.read(), re.M))


def applying(python, names):
    """The requirements of the package and of these extras on a Python."""
    environment = {"python_version": python, "sys_platform": "linux"}
    extras = PROJECT["optional-dependencies"]
    for text in PROJECT["dependencies"] + [one for name in names for one in extras[name]]:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement


def test_the_sdist_holds_all_that_git_holds():
    included = [*PYPROJECT["tool"]["flit"]["sdist"]["include"], "keras_optimizers"]
    included += ["pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]]
    left_out = [name for name in committed() if not any(_is_in(name, one) for one in included)]
    assert left_out == []


def _is_in(name, folder):
    return name == folder or name.startswith(folder + "/")


@pytest.mark.parametrize("path", LOCKS, ids=map(os.path.basename, LOCKS))
def test_locked_packages_are_what_pyproject_allows(path):
    python = re.search(r"python-(.*)\.txt", path).group(1)
    extras = {"3.6": ["examples", "test"], "3.7": ["examples", "test", "develop"]}
    packages = locked(path)
    for requirement in applying(python, extras.get(python, ["test"])):
        assert requirement.specifier.contains(packages[requirement.name]), requirement


def test_there_is_a_lock_for_each_python_of_ci():
    names = [os.path.basename(path) for path in LOCKS]
    assert names == ["python-3.11.txt", "python-3.6.txt", "python-3.7.txt"]


def test_the_oldest_packages_of_the_matrix_are_the_lower_bounds():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(os.path.join(ROOT, "tox.ini"))
    (matrix,) = (name for name in parser.sections() if name.startswith("testenv:matrix"))
    oldest = re.findall(r"oldest: (\S+)==(\S+)", parser[matrix]["deps"])
    assert {name for name, _ in oldest} == {"numpy", "h5py", "protobuf"}
    requirements = {one.name: one.specifier for one in applying("3.7", [])}
    for name, version in oldest:
        (bound,) = (one for one in requirements[name] if one.operator == ">=")
        assert _release(bound.version) == _release(version), name


def _release(version):
    parts = [int(part) for part in version.split(".")]
    return parts + [0] * (3 - len(parts))


def test_the_classifiers_name_the_pythons_of_requires_python():
    prefix = "Programming Language :: Python :: 3."
    versions = [one[len(prefix) :] for one in PROJECT["classifiers"] if one.startswith(prefix)]
    assert versions == [str(minor) for minor in range(6, 14)]
    assert PROJECT["requires-python"] == ">=3.6"


def test_the_notice_names_the_source_of_every_data_file():
    with open(os.path.join(ROOT, "NOTICE"), encoding="utf-8") as file:
        rows = re.findall(r"^\| (\S+) \|", file.read(), re.M)
    places = [row for row in rows if row != "---" and os.path.exists(os.path.join(ROOT, row))]
    data = [name for name in committed() if _is_data(name)]
    assert data
    assert [name for name in data if not any(name.startswith(place) for place in places)] == []


def _is_data(name):
    plain = fnmatch.fnmatch(name, ".*") or name.startswith(("ci/", ".ci/")) or name == "NOTICE"
    return not (plain or name == "LICENSE" or name.endswith(TEXTS))
