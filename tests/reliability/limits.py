"""Commands as processes of their own whose disk is full, whose reader has gone, or whose target
cannot be written to.
"""

import os
import resource
import subprocess
import sys

from tests.tensorflow_2.log import without_log

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCE = os.path.join(ROOT, "tests", "eras", "sources", "tf-keras-1.10", "adam.h5")


def run(*arguments, largest_file=None, standard_output=subprocess.PIPE, **options):
    """Exit status, standard output (None where it goes elsewhere) and standard error.

    Arguments:
        largest_file: bytes at which any file that the command writes is full.
    """

    def limit():
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    environment.update(PYTHONPATH=ROOT, TF_CPP_MIN_LOG_LEVEL="2")
    done = subprocess.run(
        [sys.executable, "-m", "keras_optimizers", *arguments],
        stdout=standard_output,
        stderr=subprocess.PIPE,
        env=environment,
        preexec_fn=limit,
        timeout=300,
        **options,
    )
    output = done.stdout.decode() if done.stdout is not None else None
    return done.returncode, output, without_log(done.stderr.decode())


def closed_pipe():
    """The writing end of a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing
