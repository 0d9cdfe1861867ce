"""The examples in the docstrings of all public names run, each in a new graph and folder."""

import doctest

import numpy as np
import pytest

import keras_optimizers
from keras_optimizers import checkpoint, conformance

ALIASES = {name for name in keras_optimizers.__all__ if name in keras_optimizers._ALIASES}
NAMES = [("keras_optimizers", name) for name in keras_optimizers.__all__ if name not in ALIASES]
NAMES += [("keras_optimizers.checkpoint", name) for name in checkpoint.__all__]
NAMES += [("keras_optimizers.conformance", name) for name in conformance.__all__]
OF = {
    "keras_optimizers": keras_optimizers,
    "keras_optimizers.checkpoint": checkpoint,
    "keras_optimizers.conformance": conformance,
}


@pytest.mark.parametrize("module, name", NAMES, ids=[".".join(pair) for pair in NAMES])
def test_the_example_of_a_public_name_runs(module, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    documented = getattr(OF[module], name).__doc__
    example = doctest.DocTestParser().get_doctest(documented, {}, name, module, 0)
    assert example.examples, "%s.%s has no example" % (module, name)
    printed = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    # NumPy 2 shows a scalar as np.float32(0.8).
    shown = {"legacy": "1.25"} if int(np.__version__.split(".")[0]) >= 2 else {}
    with np.printoptions(**shown):
        failed, _ = runner.run(example, out=printed.append)
    assert not failed, "".join(printed)
