"""What TensorFlow 2 logs on standard error when it is imported, at any log level."""

import re

_LOGGED = re.compile(r"(WARNING: All log messages before|[IWE]\d{4} \d\d|To enable the following)")


def without_log(errors):
    """The lines on standard error that are not TensorFlow's."""
    return "".join(line for line in errors.splitlines(keepends=True) if not _LOGGED.match(line))
