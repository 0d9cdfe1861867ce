"""What a user calls: record, compare, assert_conforms, parametrize_with_checks."""

import os
from typing import Any, Callable, Dict, List, Optional, Sequence, Union

from keras_optimizers.conformance import checks, references, results
from keras_optimizers.conformance.context import Context
from keras_optimizers.conformance.recorder import cases, storage
from keras_optimizers.conformance.recorder import record as recording
from keras_optimizers.conformance.session import Session, is_kept
from keras_optimizers.conformance.subject import Factory, Subject

Expected = Union[Dict[str, str], Callable[[Factory], Dict[str, str]], None]


def record(factory: Factory, problem: str = "fed gradients", host: str = "tf.keras") -> Any:
    """Train what `factory` makes, and keep every parameter and weight after every step.

    Arguments:
        factory: called without arguments, or with those of a case, makes an optimizer.
        problem: "fed gradients", "dense net", "lookups", "extreme values" or "resume"; or the
            name of a case, such as "adam_decay", whose arguments the factory then gets.
        host: "tf.keras" or "keras".

    Returns:
        A trace: `arrays` by name, with the step as their first axis; `weights`, the names in the
        order of `get_weights`; `config`.

    Raises:
        ValueError: If the problem is unknown or the factory makes no optimizer.

    Examples:
        >>> from keras_optimizers import SGD, conformance
        >>> trace = conformance.record(SGD)
        >>> trace.weights[0], trace.config["momentum"]
        ('iterations', 0.0)
    """
    subject = Subject(factory, host=host)
    if problem in cases.CASES:
        return subject.trace(cases.CASES[problem])
    for case in cases.CUSTOM_CASES.values():
        if problem == case.name or (problem == case.problem and not case.arguments):
            return subject.trace(case)
    problems = ", ".join(repr(name) for name in cases.STEPS)
    raise ValueError(
        f"Unknown problem {problem!r}: there are {problems}, and the cases that "
        "`keras-optimizers conformance --list` shows."
    )


def record_all(
    factory: Factory,
    path: str,
    class_name: str = "",
    host: str = "tf.keras",
    progress: Optional[Callable[[str], None]] = None,
) -> str:
    """Record all cases of an optimizer into `path`, a `.json` file; its arrays go beside it.

    Raises:
        ValueError: If the path does not end with ".json".

    Examples:
        >>> from keras_optimizers import SGD, conformance
        >>> try:
        ...     conformance.record_all(SGD, "sgd.h5")
        ... except ValueError as error:
        ...     print(error)
        A recording is a .json file, not 'sgd.h5'.
    """
    if not path.endswith(".json"):
        raise ValueError(f"A recording is a .json file, not {path!r}.")
    subject = Subject(factory, class_name, host)
    name = os.path.basename(path)[: -len(".json")]
    facts = recording.provenance(name, f"{subject.name}, recorded by its user", subject.host)
    made = storage.Recording(facts, storage.ArrayPool())
    worked = 0
    for case_name, case in subject.own_cases().items():
        if progress:
            progress(f"{subject.name} {case_name}")
        try:
            made.add(subject.trace(case))
            worked += 1
        except Exception as error:
            made.facts["cases"][case_name] = {"refused": [type(error).__name__, str(error)[:300]]}
            last = error
    if not worked:
        raise ValueError(f"{subject.name} fails in every case: {type(last).__name__}: {last}")
    made.facts["errors_by_class"] = {subject.class_name: subject.errors()}
    return made.save(os.path.dirname(os.path.abspath(path)))


def run(
    factory: Union[Factory, Subject],
    reference: str = references.OURS,
    level: Any = None,
    checks_to_run: Optional[Sequence[str]] = None,
    cases_to_run: Optional[Sequence[str]] = None,
    expected_failed_checks: Expected = None,
    class_name: str = "",
    host: str = "tf.keras",
    progress: Optional[Callable[[str], None]] = None,
) -> List[results.CheckResult]:
    """The results of checks on an optimizer; arguments as of `assert_conforms`.

    Examples:
        >>> from keras_optimizers import SGD, conformance
        >>> results = conformance.run(SGD, "tf-1.10", checks_to_run=["config_round_trip"])
        >>> {one.status for one in results}
        {'equal'}
    """
    subject = factory if isinstance(factory, Subject) else Subject(factory, class_name, host)
    expected = expected_failed_checks
    if callable(expected):
        expected = expected(subject.factory)
    context = Context(subject, reference, level, cases_to_run, progress)
    return checks.run_checks(context, checks_to_run, expected)


def records(subject: Subject, reference: str) -> bool:
    """In pytest with --conformance-record: write the recording that a test names, once a run.

    Returns:
        Whether that is what the run does, and not compare.
    """
    if not (is_kept() and reference.endswith(".json")):
        return False
    Session.used.add(reference)
    if Session.recording and reference not in Session.recorded:
        record_all(subject.factory, reference, subject.class_name, subject.host_name)
        Session.recorded.add(reference)
    return Session.recording


def keep(found: Sequence[results.CheckResult]) -> None:
    """In pytest: show these results in the table and in the report."""
    if is_kept():
        Session.results.extend(found)


def assert_conforms(
    factory: Factory,
    reference: str = references.OURS,
    level: Any = None,
    checks: Optional[Sequence[str]] = None,
    cases: Optional[Sequence[str]] = None,
    expected_failed_checks: Expected = None,
    class_name: str = "",
    host: str = "tf.keras",
    allow_documented: bool = False,
) -> None:
    """Assert that an optimizer behaves as a reference does.

    Arguments:
        factory: called with arguments of r1.10's names, makes an optimizer: a class, or a function.
        reference: an upstream version such as "tf-1.10", "numpy", or the path of a recording.
        level: "bits" (the default), units in the last place ("4 ulp"), or a tolerance ("1e-6").
        checks, cases: names; the default is all.
        expected_failed_checks: reasons by check, or by "check[case]"; or a function of the
            factory that gives them. An expected failure that passes is a failure.
        class_name: the class of the reference that it must equal; the default is the factory's
            name.
        host: the Keras that it trains in: "tf.keras" or "keras".
        allow_documented: accept differences that TensorFlow's own old classes have, too.

    Raises:
        AssertionError: If it differs; the text names step, variable, element and size.
        ValueError: If an argument is wrong.

    Examples:
        >>> from keras_optimizers import SGD, conformance
        >>> conformance.assert_conforms(SGD, "tf-1.10", checks=["weights_layout"])
    """
    subject = Subject(factory, class_name, host)
    if records(subject, reference):
        return
    found = run(subject, reference, level, checks, cases, expected_failed_checks)
    keep(found)
    failed = results.failures(found, strict=not allow_documented)
    if failed:
        raise AssertionError(results.as_text(failed))
