"""Random command lines end with a status of the commands and without a traceback."""

import re
import subprocess
import sys

from tests.reliability.limits import ROOT


def test_random_command_lines_end_well():
    """In a process of its own: a fork of this one has all the memory that tests have taken."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.reliability.command_lines"]
    command += ["--count", "120", "--seed", "7"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert done.returncode == 0, (done.stdout.decode(), done.stderr.decode()[-500:])
    assert b"command lines: 120, 0 failures" in done.stdout
    succeeded = int(re.search(rb"exit statuses: 0: (\d+)", done.stdout).group(1))
    assert succeeded > 40, "most command lines are refused, so they test little"
