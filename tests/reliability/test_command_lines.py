"""Random command lines end with a status of the commands and without a traceback."""

import subprocess
import sys

from tests.reliability.limits import ROOT


def test_random_command_lines_end_well():
    """In a process of its own: a fork of this one has all the memory that tests have taken."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.reliability.command_lines"]
    command += ["--count", "40", "--seed", "7"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert done.returncode == 0, (done.stdout.decode(), done.stderr.decode()[-500:])
    assert b"command lines: 40, 0 failures" in done.stdout
