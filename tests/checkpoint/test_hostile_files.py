"""Damaged and hostile files: one clear error, exit status 2; see fuzz.py for the mutations."""

import gc
import os
import signal
import subprocess
import sys
import time

import pytest

from keras_optimizers.checkpoint import read
from keras_optimizers.checkpoint.storage import supervision
from tests.checkpoint import files, fuzz


def test_mutated_files_do_no_harm():
    """In a process of its own: a fork of this one has all the memory that tests have taken."""
    command = [sys.executable, fuzz.__file__, "--count", "60", "--seed", "3"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.stdout.decode()
    assert done.returncode == 0 and "0 of 60 files failed" in said, said


@pytest.mark.slow
@pytest.mark.parametrize("change", ["flip", "overwrite", "cut", "move"])
def test_bytes_that_were(change, tmp_path, capfd):
    import random

    for seed in range(10):
        choose = random.Random(seed)
        path = str(tmp_path / "mutated.h5")
        with open(files.source("keras-2.3", "adam"), "rb") as opened:
            data = bytearray(opened.read())
        with open(path, "wb") as opened:
            opened.write(bytes(getattr(fuzz, change)(data, choose)))
        status = fuzz.cli.main(["inspect", path])
        assert status in (0, 2) and "Traceback" not in capfd.readouterr().err


def test_a_crash_of_the_library_is_a_damaged_file(capfd):
    def crash():
        os.kill(os.getpid(), signal.SIGSYS)

    assert supervision.supervised(crash, ["bad.h5"]) == 2
    assert "'bad.h5' made the HDF5 library crash" in capfd.readouterr().err


@pytest.mark.parametrize("collected", ["during the work", "at the fork"])
def test_a_child_does_not_collect_what_its_parent_made(collected, tmp_path, monkeypatch):
    """The end of a TensorFlow session would wait there for threads that a fork does not have."""
    parent, ended_in_the_child = os.getpid(), tmp_path / "ended"
    fork, thresholds = os.fork, gc.get_threshold()

    class Session:
        def __del__(self):
            if os.getpid() != parent:
                ended_in_the_child.write_text("here")

    def fork_with_garbage():
        session = Session()
        session.itself = session
        del session
        if collected == "at the fork":
            gc.set_threshold(1)  # the first object that is made starts a collection
        return fork()

    def work():
        kept = [[[]] for _ in range(300000)]  # so many objects that Python collects garbage
        return 0 if kept else 1

    monkeypatch.setattr(os, "fork", fork_with_garbage)
    try:
        assert supervision.supervised(work, ["good.h5"], limit_memory=False) == 0
    finally:
        gc.set_threshold(*thresholds)
    assert gc.isenabled()
    assert not ended_in_the_child.exists()


def test_work_without_end_is_a_damaged_file(capfd, monkeypatch):
    """The timer is the one that `supervised` sets, with less patience."""
    monkeypatch.setattr(supervision, "_PATIENCE", 0.2)

    def work():
        while True:
            pass

    assert supervision.supervised(work, ["bad.h5"]) == 2
    assert "without end" in capfd.readouterr().err


def test_work_that_shows_progress_may_take_long(monkeypatch):
    monkeypatch.setattr(supervision, "_PATIENCE", 0.3)

    def work():
        finish = time.process_time() + 0.6
        while time.process_time() < finish:
            supervision.progressed()
        return 0

    assert supervision.supervised(work, []) == 0


def test_memory_is_bounded(capfd):
    def work():
        bytearray(2 << 30)
        return 0

    assert supervision.supervised(work, []) == 2
    assert "more memory" in capfd.readouterr().err


def test_nothing_is_unpacked_under_a_name_of_the_archive(tmp_path, capfd):
    import zipfile

    path = str(tmp_path / "a" / "b" / "model.keras")
    os.makedirs(os.path.dirname(path))
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("../../escaped", b"x")
        packed.writestr("config.json", b"{}")
        packed.writestr("model.weights.h5", b"x")
    assert fuzz.cli.main(["inspect", path]) == 2
    assert "Cannot read" in capfd.readouterr().err
    assert sorted(os.listdir(str(tmp_path))) == ["a"]


def migrate_until(moment, source, target):
    """Start a migration, kill it after `moment` seconds (None: never); whether it had finished."""
    command = [sys.executable, "-m", "keras_optimizers", "migrate", source, target]
    command += ["--to", "optimizer-v2", "--overwrite"]
    surroundings = dict(os.environ, PYTHONPATH=fuzz.ROOT)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=surroundings, **quiet)
    if moment is not None:
        time.sleep(moment)
        process.kill()
    return process.wait() == 0


@pytest.mark.slow
@pytest.mark.parametrize("times", [30])
def test_killed_at_any_moment_nothing_is_lost(times, tmp_path):
    """`KILLS=200` in the environment for more moments."""
    import random

    source, target = str(tmp_path / "source.h5"), str(tmp_path / "target.h5")
    for path in (source, target):
        with open(files.source("tf-keras-1.10", "adam"), "rb") as original:
            whole = original.read()
        with open(path, "wb") as copy:
            copy.write(whole)
    started = time.time()
    assert migrate_until(None, source, target)
    duration = time.time() - started
    choose = random.Random(5)
    for _ in range(int(os.environ.get("KILLS", times))):
        migrate_until(choose.uniform(0.3, 1.1) * duration, source, target)
        with open(source, "rb") as opened:
            assert opened.read() == whole
        assert read(target).provenance.format in ("tf-keras-1.10", "optimizer-v2")
    left = [name for name in os.listdir(str(tmp_path)) if not name.startswith(".")]
    assert sorted(left) == ["source.h5", "target.h5"]


def test_the_size_of_a_directory_is_that_of_a_saved_model_and_not_of_all_below(tmp_path):
    sizes = {"saved_model.pb": 1, "variables/variables.index": 2, "others/deep/down": 4}
    for name, size in sizes.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"." * size)
    assert supervision._size([str(tmp_path)]) == 3
