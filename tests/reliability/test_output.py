"""Full disks, closed pipes and read-only targets: a message and a status other than 0."""

import os
import subprocess
import sys

import pytest

from keras_optimizers import checkpoint, output
from tests.reliability.limits import ROOT, SOURCE, closed_pipe, run

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")

PRINTING = {
    "inspect": ["inspect", SOURCE],
    "inspect --json": ["inspect", SOURCE, "--json"],
    "verify": ["verify", SOURCE, SOURCE],
    "migrate --dry-run": ["migrate", SOURCE, "new.h5", "--to", "keras-2.3", "--dry-run"],
    "conformance --list": ["conformance", "--list"],
    "--help": ["--help"],
    "--version": ["--version"],
}
# A format, and what its file is called. Some are written by h5py, some by TensorFlow.
TARGETS = {
    "keras-2.3": "new.h5",
    "keras-3": "new.keras",
    "keras-3 (state alone)": "new.weights.h5",
    "saver": "new",
    "saver-tf-train": "new",
    "checkpoint": "new",
}
# Each of the others is the same once more, and starts a Python or a TensorFlow.
SHORT = ("inspect", "--help", "keras-2.3", "saver")


def each(names):
    """The short ones in the default tests, all in the long run."""
    return [
        pytest.param(name, marks=[] if name in SHORT else pytest.mark.reliability) for name in names
    ]


@pytest.mark.parametrize("name", each(PRINTING))
def test_a_full_disk_behind_standard_output_is_said(name):
    with open("/dev/full", "wb") as full:
        status, _, errors = run(*PRINTING[name], standard_output=full)
    assert (status, errors) == (
        2,
        "keras-optimizers: Cannot write to standard output: No space left on device.\n",
    )


@pytest.mark.parametrize("name", each(PRINTING))
def test_a_closed_pipe_ends_a_command_quietly(name):
    writing = closed_pipe()
    status, _, errors = run(*PRINTING[name], standard_output=writing)
    os.close(writing)
    assert (status, errors) == (output.CLOSED_PIPE, "")


def test_standard_output_that_the_caller_closed_is_said():
    command = '"$0" -m keras_optimizers inspect "$1" >&-'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, SOURCE], stderr=subprocess.PIPE, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (
        2,
        b"keras-optimizers: Cannot write to standard output: it is closed.\n",
    )


@pytest.mark.parametrize("arguments", each([("inspect", "nothing.h5"), ("jump",)]))
def test_where_the_message_is_lost_the_exit_status_tells(arguments):
    command = ["sh", "-c", '"$0" -m keras_optimizers "$@" 2>/dev/full', sys.executable]
    assert subprocess.run([*command, *arguments], cwd=ROOT).returncode == 2


@pytest.mark.parametrize("name", each(TARGETS))
def test_a_disk_that_becomes_full_leaves_the_folder_as_it_was(name, tmp_path):
    """At once, in the middle and near the end; the HDF5 library itself would crash."""
    target = str(tmp_path / TARGETS[name])
    told = name.split()[0]
    refused = 0
    for size in (100, 900, 9000):
        status, _, errors = run("migrate", SOURCE, target, "--to", told, largest_file=size)
        if status == 0:
            break
        refused += 1
        assert status == 2
        assert errors.startswith("keras-optimizers: Cannot write %r: " % target), errors
        # TensorFlow does not notice each failed write; reading the file again does.
        assert "Nothing was changed." in errors or "Is the disk full?" in errors, errors
        assert len(errors.splitlines()) == 1, errors
        assert os.listdir(str(tmp_path)) == []
    assert refused


def test_a_full_disk_is_an_error_in_a_program_too(tmp_path):
    """In a process of its own, which the HDF5 library would take down with it."""
    program = (
        "import os, resource, sys\n"
        "from keras_optimizers import checkpoint\n"
        "state = checkpoint.read(%r)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "try:\n"
        "    checkpoint.write(state, %r, 'keras-2.3')\n"
        "except checkpoint.CheckpointError as error:\n"
        "    print(error)\n" % (SOURCE, str(tmp_path / "new.h5"))
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert done.returncode == 0, done
    assert b"File too large. Nothing was changed." in done.stdout
    assert os.listdir(str(tmp_path)) == []


def test_a_migration_in_place_that_fails_leaves_no_backup(tmp_path):
    path = tmp_path / "model.h5"
    with open(SOURCE, "rb") as source:
        whole = source.read()
    path.write_bytes(whole)
    arguments = ["migrate", str(path), "--in-place", "--to", "keras-2.3"]
    status, _, _ = run(*arguments, largest_file=5000)
    assert status == 2
    assert path.read_bytes() == whole and os.listdir(str(tmp_path)) == ["model.h5"]


def test_a_device_is_not_replaced(tmp_path):
    """As root, `--overwrite` would replace /dev/null for the whole system."""
    pipe = str(tmp_path / "pipe.h5")
    os.mkfifo(pipe)
    state = checkpoint.read(SOURCE)
    with pytest.raises(checkpoint.CheckpointError, match="it is a device or a pipe"):
        checkpoint.write(state, pipe, "keras-2.3")
    assert not os.path.isfile(pipe) and os.listdir(str(tmp_path)) == ["pipe.h5"]


def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    real, link = tmp_path / "disk" / "real.h5", tmp_path / "link.h5"
    real.write_bytes(b"before")
    link.symlink_to(real)
    checkpoint.write(checkpoint.read(SOURCE), str(link), "keras-2.3")
    assert link.is_symlink() and checkpoint.read(str(real)).class_name == "Adam"
    assert os.listdir(str(tmp_path / "disk")) == ["real.h5"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["migrate", SOURCE, "new.h5", "--to", "keras-2.3", "--report", "{}/report.json"],
        pytest.param(["conformance", "--history", "{}/page.md"], marks=pytest.mark.reliability),
        pytest.param(["conformance", "--html", "{}/page.html"], marks=pytest.mark.reliability),
        pytest.param(["bench", "--json", "{}/figures.json"], marks=pytest.mark.reliability),
    ],
    ids=lambda arguments: " ".join(arguments[:1] + arguments[-2:-1]),
)
@pytest.mark.parametrize("place", ["missing", "a file", "a directory"])
def test_a_place_that_cannot_be_written_is_said_before_the_work(arguments, place, tmp_path):
    folder = tmp_path / "place"
    if place == "a file":
        folder.write_text("")
    elif place == "a directory":
        (folder / os.path.basename(arguments[-1])).mkdir(parents=True)
    given = [one.format(folder) for one in arguments]
    status, shown, errors = run(*given, cwd=str(tmp_path))
    assert (status, shown) == (2, "")
    assert "Traceback" not in errors and str(folder) in errors and len(errors.splitlines()) == 1
    assert not (tmp_path / "new.h5").exists()


def test_a_file_of_text_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("before")
    output.write_text(str(path), "after")
    assert path.read_text() == "after"
    program = (
        "import resource, sys; sys.path.insert(0, %r)\n"
        "from keras_optimizers import output\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "output.write_text(%r, 'x' * 5000)\n" % (ROOT, str(path))
    )
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"OutputError: Cannot write" in done.stderr
    assert path.read_text() == "after" and os.listdir(str(tmp_path)) == ["report.json"]


def test_the_report_comes_after_a_written_checkpoint(tmp_path):
    """Status 2 means "nothing was written" elsewhere, so the message tells otherwise."""
    target = str(tmp_path / "new.h5")
    status, _, errors = run("migrate", SOURCE, target, "--to", "keras-2.3", "--report", "/dev/full")
    assert status == 2 and "The checkpoint itself is written." in errors
    assert checkpoint.read(target).class_name == "Adam"
