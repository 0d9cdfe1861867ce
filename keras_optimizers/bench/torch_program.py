"""Steps of PyTorch's optimizers, in a process of their own: one answer for each line it is sent.

    python torch_program.py ARGUMENTS.json GRADIENTS.npz

It imports nothing of the package, for its Python has PyTorch and need not have TensorFlow. It
answers each line with the seconds of one step: on the clock, and of the processor.
"""

import json
import sys
import time

import numpy as np


def main(arguments_path: str, gradients_path: str) -> None:
    """Answer until the input ends."""
    import torch

    with open(arguments_path) as file:
        arguments = json.load(file)
    if arguments["threads"]:
        torch.set_num_threads(arguments["threads"])
    parameters = []
    with np.load(gradients_path) as gradients:
        for name in gradients.files:
            gradient = torch.from_numpy(gradients[name])
            parameter = torch.full(tuple(gradient.shape), 0.1, requires_grad=True)
            parameter.grad = gradient
            parameters.append(parameter)
    optimizer = getattr(torch.optim, arguments["class"])(parameters, **arguments["options"])
    print("ready", torch.__version__, flush=True)
    for _ in sys.stdin:
        clock, cpu = time.perf_counter(), time.process_time()
        optimizer.step()
        print(time.perf_counter() - clock, time.process_time() - cpu, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
