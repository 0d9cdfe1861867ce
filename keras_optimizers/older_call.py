"""The older way to call `get_updates`, which Keras 2.2 and 2.3 still accept."""

import functools
from typing import Any, Callable


def accepts_the_older_call(get_updates: Callable[..., Any]) -> Callable[..., Any]:
    """Let `get_updates(params, constraints, loss)` mean `get_updates(loss, params)`.

    The constraints are ignored, as there: since Keras 2.0.7 they belong to the parameters. The
    loss may be passed by name.
    """

    @functools.wraps(get_updates)
    def either(self: Any, *given: Any, **named: Any) -> Any:
        if len(given) == 3:
            params, _, loss = given
            return get_updates(self, loss, params)
        if len(given) == 2 and isinstance(given[0], (list, tuple)) and "loss" in named:
            return get_updates(self, named["loss"], given[0])
        return get_updates(self, *given, **named)

    return either
