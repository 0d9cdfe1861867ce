"""Whether a library's bits are those of TensorFlow's own ops, found out in a process of its own.

The first session of a process decides how many threads all later ones have, so the comparison must
not make a session in the user's process. There a library that crashes would do harm, too. The
verdict is kept beside the compiled libraries: it counts for one library on one kind of processor.
"""

import contextlib
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from typing import List, Optional

import tensorflow.compat.v1 as tf

from keras_optimizers.lowering.native import cache

# Started by name: what it imports is not needed here.
_PROGRAM = "keras_optimizers.lowering.native.compare"
# What it compares: with others the verdict may be another.
_COMPARED = ("program.py", "self_test.py")
_BEGINNING = "verdict: "
_SECONDS = 300


def of(library: str) -> Optional[str]:
    """Why the library's results must not be used, as a sentence; None where nothing was found."""
    kept = os.path.join(cache.folder(), f"verdict-{_key(library)}{cache.RECORD_SUFFIX}")
    record = cache.read_record(kept)
    if record is not None and "reason" in record:
        return record["reason"]
    reason = _ask(library)
    with contextlib.suppress(OSError):  # a folder that cannot be written to: asked again next time
        os.makedirs(cache.folder(), mode=0o700, exist_ok=True)
        cache.write_record(kept, {"library": library, "reason": reason})
    return reason


def _key(library: str) -> str:
    here = os.path.dirname(os.path.abspath(__file__))
    compared = [os.path.join(here, name) for name in _COMPARED]
    files = map(cache.checksum, (library, *compared))
    found = hashlib.sha256()
    for part in (*files, tf.__version__, tf.__file__, *_processor()):
        found.update(part.encode() + b"\0")
    return found.hexdigest()[:16]


def _processor() -> List[str]:
    """What decides which instructions run: the processor's name and its features."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return [platform.machine(), platform.processor()]
    lines = re.findall(r"(?m)^(?:model name|flags|Features|CPU part)\s*:.*$", text)
    return sorted(set(lines))


def _ask(library: str) -> Optional[str]:
    """The answer of a process that compares."""
    if not sys.executable:
        return "its results cannot be compared: there is no Python program to start"
    # The same packages as here, and no graphics card, whose memory a session would take.
    path = os.pathsep.join(filter(None, sys.path))
    environment = dict(os.environ, PYTHONPATH=path, CUDA_VISIBLE_DEVICES="-1")
    try:
        done = subprocess.run(
            [sys.executable, "-m", _PROGRAM, library],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"its results cannot be compared: {error}"
    for line in reversed(done.stdout.decode(errors="replace").split("\n")):
        if line.startswith(_BEGINNING):
            return json.loads(line[len(_BEGINNING) :])
    said = done.stderr.decode(errors="replace").strip().split("\n")[-1]
    return f"the process that compares its results ended with status {done.returncode}: {said}"
