"""PyTorch's optimizers as peers: a process of another Python, which makes a step when it is asked.

PyTorch's libraries and TensorFlow's do not bear each other in one process, and PyTorch has none for
Python 3.7 of today.
"""

import json
import os
import subprocess
import tempfile
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from keras_optimizers.bench import peers
from keras_optimizers.bench.cases import Case
from keras_optimizers.bench.timing import Seconds

# The class and its arguments: what it computes is nearest to ours, and the numbers are the same.
_OPTIMIZERS: Dict[str, Tuple[str, Dict[str, Any]]] = {
    "SGD": ("SGD", {"lr": 0.01}),
    "SGD momentum": ("SGD", {"lr": 0.01, "momentum": 0.9}),
    "SGD Nesterov": ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "RMSprop": ("RMSprop", {"lr": 0.001, "alpha": 0.9}),
    "Adagrad": ("Adagrad", {"lr": 0.01}),
    "Adadelta": ("Adadelta", {"lr": 1.0}),
    "Adam": ("Adam", {}),
    "AMSGrad": ("Adam", {"amsgrad": True}),
    "Adamax": ("Adamax", {}),
    "Nadam": ("NAdam", {}),
}
# PyTorch has fused kernels for a processor (not a graphics card) in these classes, from 2.4 on.
_FUSED = ("SGD", "Adagrad", "Adam")

_program: Optional[str] = None


class TorchError(Exception):
    """PyTorch cannot be measured. The text is a sentence with the reason."""


def use(program: str) -> None:
    """Take PyTorch from the Python `program`.

    Raises:
        TorchError: If it does not run, or has no PyTorch.
    """
    global _program
    command = [program, "-c", "import torch"]
    try:
        subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    except OSError as error:
        raise TorchError(f"--torch {program!r} does not run: {error.strerror or error}") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().split("\n")[-1]
        raise TorchError(f"--torch {program!r} has no PyTorch: {said}") from error
    _program = program


def has(peer: str, name: str, case: Case) -> bool:
    """Whether PyTorch has the optimizer in the peer's way, for gradients that are not sparse."""
    return not case.batch and (peer == peers.TORCH_FOREACH or _OPTIMIZERS[name][0] in _FUSED)


class Peer:
    """One of PyTorch's optimizers, which steps in its process.

    Arguments:
        peer: one of `peers.TORCH`.
        name: of the optimizer.
        gradients: NumPy arrays.
        threads: 0 is one for each core.

    Raises:
        TorchError: If the process fails.
    """

    def __init__(self, peer: str, name: str, gradients: Sequence[Any], threads: int) -> None:
        assert _program is not None
        class_name, options = _OPTIMIZERS[name]
        way = "foreach" if peer == peers.TORCH_FOREACH else "fused"
        given = {"class": class_name, "options": dict(options, **{way: True}), "threads": threads}
        with tempfile.TemporaryDirectory() as folder:
            arguments, arrays = os.path.join(folder, "arguments"), os.path.join(folder, "a.npz")
            with open(arguments, "w") as file:
                json.dump(given, file)
            np.savez(arrays, **{f"{index:05d}": array for index, array in enumerate(gradients)})
            here = os.path.dirname(os.path.abspath(__file__))
            self._process = subprocess.Popen(
                [_program, os.path.join(here, "torch_program.py"), arguments, arrays],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                universal_newlines=True,
                # Threads that wait must not turn in circles: that counts as CPU time.
                env=dict(os.environ, OMP_WAIT_POLICY="PASSIVE"),
            )
            self._ask("")
        self.run()

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise TorchError(f"PyTorch's process ended with status {self._process.wait()}")
        return answer

    def run(self) -> Seconds:
        """One step."""
        return Seconds(*map(float, self._ask("step\n").split()))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
