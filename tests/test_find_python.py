"""`ci/find-python` on machines of all kinds, played by folders."""

import os
import stat
import subprocess
import sys

import pytest

FIND = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ci", "find-python"
)
VERSION = "{}.{}".format(*sys.version_info)
THIS = os.path.realpath(sys.executable)
pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script")


def find(path, version=VERSION, **environment):
    """Exit status, standard output, standard error, with only the folder `path` on PATH."""
    environment.setdefault("HOME", str(path))
    environment["PATH"] = str(path)
    done = subprocess.run(
        ["/bin/sh", FIND, version],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return done.returncode, done.stdout.decode().strip(), done.stderr.decode()


@pytest.fixture
def machine(tmp_path):
    """A PATH with the few tools the script needs, and no Python."""
    for tool in ("dirname", "cat", "mkdir", "ln"):
        found = subprocess.check_output(["/bin/sh", "-c", f"command -v {tool}"]).decode().strip()
        os.symlink(found, str(tmp_path / tool))
    return tmp_path


def program(path, text):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def works(result):
    status, output, errors = result
    assert status == 0, errors
    version = "import sys; print('%d.%d' % sys.version_info[:2])"
    assert subprocess.check_output([output, "-c", version]).decode().strip() == VERSION


def test_it_is_found_on_the_path(machine):
    program(machine / f"python{VERSION}", f'exec "{THIS}" "$@"')
    works(find(machine))


def test_it_is_found_under_a_general_name_if_the_version_is_right(machine):
    program(machine / "python3", f'exec "{THIS}" "$@"')
    works(find(machine))
    assert find(machine, version="2.6")[0] == 1


def test_a_dead_shim_is_passed_over_and_pyenvs_own_folder_searched(machine):
    program(machine / f"python{VERSION}", "echo 'pyenv: command not found' >&2; exit 127")
    program(
        machine / ".pyenv" / "versions" / f"{VERSION}.99" / "bin" / "python", f'exec "{THIS}" "$@"'
    )
    works(find(machine))


def test_the_environments_of_conda_and_micromamba_are_searched(machine):
    program(machine / "micromamba" / "envs" / "old" / "bin" / "python", f'exec "{THIS}" "$@"')
    works(find(machine))


def test_a_path_can_be_given(machine):
    works(find(machine, KERAS_OPTIMIZERS_PYTHON=THIS))


def test_without_any_it_says_what_to_do(machine):
    status, output, errors = find(machine, version="2.6")
    assert status == 1 and output == ""
    for words in ("pyenv install 2.6", "micromamba create", "KERAS_OPTIMIZERS_PYTHON", "uv cannot"):
        assert words in errors


def test_of_a_modern_one_it_says_what_to_do(machine):
    status, output, errors = find(machine, version="3.19")
    assert status == 1 and output == "" and "uv python install 3.19" in errors
