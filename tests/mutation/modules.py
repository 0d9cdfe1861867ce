"""Which tests decide about the mutants of each module: the fast ones first, for the first failure
ends a mutant's run. The tests must import the package in this process, not start a new one."""

from typing import List, Tuple

# pytest's arguments: a list of files or tests, and a -k expression or "".
Tests = Tuple[List[str], str]


def _rule(class_name: str, but: str = "") -> List[Tests]:
    """The recordings of this optimizer, then all else that names it.

    `but` leaves out the tests of other optimizers whose names contain this one.
    """
    recorded = (
        class_name + " and own_old_classes_to_the_bit"
    )  # whose names have those of all classes
    class_name += but
    return [
        (["tests/test_numpy_rules.py"], class_name + " and (hyperparameters or arguments)"),
        (["tests/conformance/test_ours.py"], recorded),
        (
            ["tests/test_fused.py", "tests/test_weights.py", "tests/test_docstring_examples.py"],
            class_name,
        ),
        (["tests/test_base.py", "tests/test_registry.py"], class_name),
        (["tests/test_fused.py"], "touched_rows"),
    ]


_STEPS = ["tests/test_recorded_tf110.py", "tests/test_rules.py"]

MODULES = {
    "sgd": [*_rule("SGD"), (["tests/test_fused.py", "tests/test_weights.py"], "momentum")],
    "rmsprop": _rule("RMSprop"),
    "adagrad": _rule("Adagrad"),
    "adadelta": _rule("Adadelta"),
    "adam": [*_rule("Adam", " and not Adamax and not Nadam"), (["tests/test_weights.py"], "adam")],
    "adamax": _rule("Adamax"),
    "nadam": [*_rule("Nadam"), (["tests/test_weights.py"], "nadam")],
    "weights": [
        (["tests/test_weights.py"], ""),
        (["tests/test_base.py", "tests/hosts/test_tf_keras.py"], ""),
    ],
    "gradients": [
        (["tests/test_gradients.py"], ""),
        (["tests/hosts/test_placement.py"], ""),
        (["tests/test_base.py"], "failed"),
        (["tests/test_sparse.py", "tests/test_base.py"], ""),
    ],
    "base": [
        (["tests/test_base.py", "tests/test_weights.py"], ""),
        (["tests/test_names.py", "tests/test_registry.py", "tests/test_gradients.py"], ""),
        (_STEPS, ""),
        (["tests/conformance/test_ours.py"], "SGD or Nadam"),
        (["tests/hosts", "tests/test_determinism.py"], "not slow"),
    ],
    "checkpoint.fitting": [
        (["tests/checkpoint/test_fitting.py"], ""),
        (["tests/checkpoint/test_migrating.py"], ""),
        (["tests/checkpoint"], "not hostile and not command"),
    ],
}  # type: Dict[str, List[Tests]]
for _name, _files in {
    "layouts": ["test_reading.py"],
    "configs": ["test_reading.py"],
    "weight_lists": ["test_reading.py"],
    "releases": ["test_releases.py", "test_recorded_releases.py"],
}.items():
    MODULES["checkpoint.eras." + _name] = [
        (["tests/checkpoint/eras"], ""),
        (["tests/checkpoint/" + one for one in _files], ""),
        *MODULES["checkpoint.fitting"],
    ]
for _name, _files in {
    "build": ["test_dense.py", "test_rules.py", "test_fused.py", "test_native.py"],
    "dense": ["test_dense.py", "test_rules.py"],
    "fused": ["test_fused.py"],
    "patterns": ["test_patterns.py"],
    "sparse": ["test_sparse.py"],
    "sparse_values": ["test_rules.py", "test_sparse.py"],
    "stacked": ["test_stacked.py"],
    "values": ["test_rules.py"],
}.items():
    MODULES["lowering." + _name] = [
        *[(["tests/" + one], "") for one in _files],
        (_STEPS, ""),
        (["tests/test_stacked.py", "tests/test_sparse.py", "tests/test_fused.py"], ""),
        (["tests/conformance/test_ours.py"], "own_old_classes_to_the_bit"),
        (["tests/test_dtypes.py", "tests/test_graph_size.py", "tests/hosts"], "not slow"),
    ]
