"""What TensorFlow keeps private is imported in one file."""

import ast
import importlib
import os

import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers import tensorflow_private

PACKAGE = os.path.dirname(os.path.abspath(keras_optimizers.__file__))


def imported_by(text):
    """The modules that a program's import statements name."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def test_no_other_file_imports_private_modules():
    importing = set()
    for folder, _, names in os.walk(PACKAGE):
        for path in [os.path.join(folder, name) for name in names if name.endswith(".py")]:
            with open(path, encoding="utf-8") as opened:
                modules = list(imported_by(opened.read()))
            if any(name.startswith(("tensorflow.python.", "tensorflow_core.")) for name in modules):
                importing.add(os.path.relpath(path, PACKAGE))
    assert importing == set()
    assert list(imported_by("from tensorflow.python import keras")) == ["tensorflow.python.keras"]


def test_importing_a_module_leaves_its_name_in_the_parent_as_it_was(tmp_path, monkeypatch):
    """Scripts may hold, or have changed, the module that `tf.compat.v1.keras` is."""
    (tmp_path / "a_parent").mkdir()
    (tmp_path / "a_parent" / "__init__.py").write_text("child = 'the one that programs know'\n")
    (tmp_path / "a_parent" / "child.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    with tensorflow_private._names_kept("a_parent.child"):
        importlib.import_module("a_parent.child")
    assert importlib.import_module("a_parent").child == "the one that programs know"


@pytest.mark.parametrize("version", ["1.14.0", "2.3.1"])
def test_another_tensorflow_is_refused_with_what_to_install(version, monkeypatch):
    monkeypatch.setattr(tf, "__version__", version)
    pattern = rf"needs TensorFlow 1\.15, or 2\.4 and later, here is {version}.*pip install"
    with pytest.raises(ImportError, match=pattern):
        tensorflow_private._running_release()
