"""Which tests decide about the mutants of each module: the fast ones first, for the first failure
ends a mutant's run. The tests must import the package in this process, not start a new one."""

from typing import List, Tuple

# pytest's arguments: a list of files or tests, and a -k expression or "".
Tests = Tuple[List[str], str]


def _rule(class_name: str) -> List[Tests]:
    """The recordings of this optimizer, then all else that names it."""
    return [
        (["tests/test_numpy_rules.py"], class_name + " and (hyperparameters or arguments)"),
        (["tests/conformance/test_ours.py"], class_name + " and 115_to_the_bit"),
        (
            ["tests/test_fused.py", "tests/test_weights.py", "tests/test_docstring_examples.py"],
            class_name,
        ),
        (["tests/test_base.py", "tests/test_registry.py", "tests/test_names.py"], class_name),
    ]


_STEPS = ["tests/test_recorded_tf110.py", "tests/test_rules.py"]

MODULES = {
    "sgd": [*_rule("SGD"), (["tests/test_fused.py"], "momentum")],
    "rmsprop": _rule("RMSprop"),
    "adagrad": _rule("Adagrad"),
    "adadelta": _rule("Adadelta"),
    "adam": [*_rule("Adam and not Adamax"), (["tests/test_weights.py"], "adam")],
    "adamax": _rule("Adamax"),
    "nadam": [*_rule("Nadam"), (["tests/test_weights.py"], "nadam")],
    "weights": [
        (["tests/test_weights.py"], ""),
        (["tests/test_base.py", "tests/hosts/test_tf_keras.py"], ""),
    ],
    "gradients": [
        (["tests/test_gradients.py"], ""),
        (["tests/test_sparse.py", "tests/test_base.py"], ""),
        (["tests/conformance/test_ours.py"], "SGD"),
    ],
    "base": [
        (["tests/test_base.py", "tests/test_weights.py"], ""),
        (["tests/test_names.py", "tests/test_registry.py", "tests/test_gradients.py"], ""),
        (_STEPS, ""),
        (["tests/conformance/test_ours.py"], "SGD or Nadam"),
        (["tests/hosts", "tests/test_determinism.py"], "not slow"),
    ],
    "checkpoint.fitting": [
        (["tests/checkpoint/test_migrating.py"], ""),
        (["tests/checkpoint"], "not hostile and not command"),
    ],
}  # type: Dict[str, List[Tests]]
for _name, _tests in (
    ("checkpoint.eras.layouts", ["test_reading.py", "test_migrating.py"]),
    ("checkpoint.eras.configs", ["test_reading.py", "test_migrating.py"]),
    ("checkpoint.eras.weight_lists", ["test_reading.py", "test_migrating.py"]),
    ("checkpoint.eras.releases", ["test_releases.py", "test_recorded_releases.py"]),
):
    MODULES[_name] = [
        (["tests/checkpoint/" + one for one in _tests], ""),
        *MODULES["checkpoint.fitting"],
    ]
for _name in (
    "dense",
    "stacked",
    "sparse",
    "sparse_values",
    "fused",
    "patterns",
    "build",
    "values",
):
    _own = {"build": "rules", "values": "rules", "sparse_values": "sparse"}.get(_name, _name)
    if _own == "dense":
        _own = "rules"
    MODULES["lowering." + _name] = [
        (["tests/test_%s.py" % _own], ""),
        (_STEPS, ""),
        (["tests/test_stacked.py", "tests/test_sparse.py", "tests/test_fused.py"], ""),
        (["tests/conformance/test_ours.py"], "115_to_the_bit"),
        (["tests/test_dtypes.py", "tests/test_graph_size.py", "tests/hosts"], "not slow"),
    ]
