"""Checks as pytest parameters, one test an optimizer and check."""

from typing import Any, Optional, Sequence

from keras_optimizers.conformance import api, results
from keras_optimizers.conformance.session import Session
from keras_optimizers.conformance.subject import Factory, Subject


class Check:
    """One check of one optimizer: calling it runs it.

    Raises:
        AssertionError: When called, if the optimizer differs.
    """

    def __init__(
        self,
        subject: Subject,
        name: str,
        reference: Optional[str],
        level: Any,
        expected: api.Expected,
        allow_documented: bool,
    ) -> None:
        self.subject, self.name, self.reference = subject, name, reference
        self.level, self.expected = level, expected
        self.allow_documented = allow_documented

    def __repr__(self) -> str:
        return f"{self.subject.name}-{self.name}"

    def __call__(self) -> None:
        import pytest

        reference = self.reference or Session.reference or api.references.OURS
        if api.records(self.subject, reference):
            return
        expected = self.expected
        if callable(expected):
            expected = expected(self.subject.factory)
        own = {k: v for k, v in (expected or {}).items() if k.partition("[")[0] == self.name}
        found = api.run(self.subject, reference, self.level, [self.name], None, own)
        api.keep(found)
        failed = results.failures(found, strict=not self.allow_documented)
        if failed:
            raise AssertionError(results.as_text(failed))
        if any(result.status == "expected" for result in found):
            pytest.xfail("; ".join(own.values()))
        if found and all(result.status == "skipped" for result in found):
            pytest.skip(found[0].text)


def parametrize_with_checks(
    factories: Sequence[Factory],
    reference: Optional[str] = None,
    level: Any = None,
    expected_failed_checks: api.Expected = None,
    class_name: str = "",
    host: str = "tf.keras",
    allow_documented: bool = False,
) -> Any:
    """A pytest decorator: the test gets `check`, one for each optimizer and check, and calls it.

        @parametrize_with_checks([MyAdam], reference="tf-1.10", class_name="Adam")
        def test_conforms(check):
            check()

    Arguments:
        factories: classes or functions that make optimizers.
        reference: as of `assert_conforms`; without it what `--conformance-reference` says.
        expected_failed_checks: reasons by check, or a function of the factory that gives them.
            Such a test is reported as xfailed, and fails if it conforms.
        level, class_name, host, allow_documented: as of `assert_conforms`.

    Raises:
        ValueError: If a check is unknown.

    Examples:
        >>> from keras_optimizers import SGD, conformance
        >>> @conformance.parametrize_with_checks([SGD], reference="tf-1.10")
        ... def test_conforms(check):
        ...     check()
        >>> len(test_conforms.pytestmark)
        1
    """
    import pytest

    from keras_optimizers.conformance.checks import CHECKS

    subjects = [Subject(factory, class_name, host) for factory in factories]
    for key in expected_failed_checks if isinstance(expected_failed_checks, dict) else ():
        if key.partition("[")[0] not in CHECKS:
            raise ValueError(f"Unknown check {key!r}; there are: {', '.join(CHECKS)}.")
    made = [
        Check(subject, name, reference, level, expected_failed_checks, allow_documented)
        for subject in subjects
        for name in CHECKS
    ]
    parameters = [pytest.param(c, id=repr(c), marks=pytest.mark.conformance) for c in made]
    return pytest.mark.parametrize("check", parameters)
