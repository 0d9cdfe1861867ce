"""The `keras-optimizers build` command."""

import argparse
import json
import os
import sys
import time
from typing import Any, Dict

from keras_optimizers.lowering.native import cache, verdict, wheel
from keras_optimizers.lowering.native.build import (
    INSTALL_A_COMPILER,
    BuildError,
    NoCompilerError,
    build,
)

_DIFFERENT, _BAD = 1, 2


def run(options: argparse.Namespace) -> int:
    """Compile, compare, say where the results are; the exit status."""
    if options.python and not options.wheel:
        print("keras-optimizers: --python needs --wheel FOLDER", file=sys.stderr)
        return _BAD
    show = _Progress()
    started = time.time()
    made: Dict[str, Any] = {}
    try:
        show.part("compiling")
        made["library"] = build(again=options.again, tick=show.tick)
        show.part("comparing its bits with TensorFlow's")
        different = verdict.of(made["library"])
        if different is None and options.wheel:
            show.part("making the wheel")
            made["wheel"] = wheel.make(options.wheel, options.python or (), show.tick)
    except (BuildError, wheel.WheelError) as error:
        show.done()
        print(f"keras-optimizers: {error}", file=sys.stderr)
        if isinstance(error, NoCompilerError):
            print(INSTALL_A_COMPILER, file=sys.stderr)
        return _BAD
    show.done()
    made["reason_not_to_use_it"] = different
    made["seconds"] = round(time.time() - started, 1)
    if options.json:
        made["record"] = cache.record_of(made["library"])
        print(json.dumps(made, indent=1))
    else:
        print(f"library: {made['library']}")
        if "wheel" in made:
            print(f"wheel: {made['wheel']} ({os.path.getsize(made['wheel']) / 1e3:.0f} kB)")
    if different is not None:
        print(f"keras-optimizers: the library is not used: {different}", file=sys.stderr)
        return _DIFFERENT
    return 0


class _Progress:
    """One line on a terminal that says what is done, and for how long."""

    def __init__(self) -> None:
        self._shown, self._started, self._title = sys.stderr.isatty(), time.time(), ""

    def part(self, title: str) -> None:
        """Begin the part `title`."""
        self._title = title
        self.tick()

    def tick(self) -> None:
        """Show the time."""
        if self._shown:
            seconds = time.time() - self._started
            line = f"\r\033[K{seconds:4.0f} s  {self._title}"
            print(line, end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        """Leave a clean line."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
