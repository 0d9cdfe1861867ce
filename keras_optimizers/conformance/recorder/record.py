"""Make a recording of an upstream version, or of one optimizer."""

import datetime
import inspect
import platform
import re
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from keras_optimizers.conformance.recorder import bad_inputs, cases, hosts, storage, training

Progress = Callable[[str], None]


def provenance(name: str, title: str, host: Any) -> Dict[str, Any]:
    """Where and with what something is recorded, and no cases yet."""
    return {
        "format": storage.FORMAT,
        "recorder": storage.RECORDER,
        "name": name,
        "title": title,
        "recorded": datetime.date.today().isoformat(),
        "versions": hosts.versions(),
        "processor": processor(),
        "square_roots": square_roots(host),
        "threads": dict(training.THREADS),
        "cases": {},
    }


def processor() -> Dict[str, str]:
    """Maker and model: float32 square roots and norms depend on them in some versions."""
    found = {"maker": "unknown", "model": platform.processor() or platform.machine()}
    try:
        with open("/proc/cpuinfo") as opened:
            text = opened.read()
    except OSError:
        return found
    for key, label in (("maker", "vendor_id"), ("model", "model name")):
        match = re.search(r"^%s\s*:\s*(.+)$" % label, text, re.MULTILINE)
        if match:
            found[key] = match.group(1).strip()
    return found


def square_roots(host: Any) -> str:
    """A hash of some float32 square roots, as TensorFlow computes them here.

    TensorFlow before 2.15 refines the processor's approximation, which Intel and AMD make
    differently: only where this hash is the same can all recordings be equal to the bit.
    """
    values = np.random.RandomState(5).uniform(0.01, 100.0, 4096).astype("float32")
    with host.tf.Graph().as_default():
        fed = host.tf.placeholder("float32", [None])
        root = host.tf.sqrt(fed)
        with host.tf.Session() as session:
            return storage.key_of(session.run(root, {fed: values}))


def record_reference(
    reference: hosts.Reference, progress: Progress, only: Optional[Sequence[str]] = None
) -> storage.Recording:
    """Everything about an upstream version, which must be installed.

    Arguments:
        reference: one of `hosts.REFERENCES`.
        progress: is told what comes next.
        only: names of cases; the default is all.

    Raises:
        ValueError: If another version is installed.
    """
    host = hosts.Host.of_reference(reference)
    recording = storage.Recording(
        provenance(reference.name, reference.title, host), storage.ArrayPool()
    )
    for name in only or cases.CASES:
        case = cases.CASES[name]
        progress(name)
        factory = getattr(host.optimizers, case.class_name)
        grouped = not reference.optimizer_v2
        try:
            trace = training.run_case(host, factory, case, grouped=grouped)
        except Exception as error:  # whatever it is, it is what this version does
            recording.facts["cases"][name] = {"refused": _as_text(error)}
        else:
            recording.add(trace)
    progress("errors and signatures")
    recording.facts["errors"] = record_errors(
        host, bad_inputs.bad_inputs(host.optimizers, host.keras, host.tf, host.backend)
    )
    recording.facts["errors_by_class"] = {
        name: record_class_errors(host, getattr(host.optimizers, name))
        for name in cases.CLASS_NAMES
    }
    recording.facts["signatures"] = record_signatures(host.optimizers)
    return recording


def record_class_errors(host: Any, factory: Any) -> Dict[str, Optional[List[str]]]:
    """As `record_errors`, for what any class must refuse."""
    calls = bad_inputs.bad_inputs_of_a_class(factory, host.tf, host.backend)
    return record_errors(host, calls)


def record_errors(host: Any, calls: Dict[str, Callable[[], Any]]) -> Dict[str, Optional[List[str]]]:
    """For every bad input the type and the words of the error; None where there was none."""
    errors: Dict[str, Optional[List[str]]] = {}
    for name, call in calls.items():
        with training.fresh(host, "float32"):
            try:
                call()
            except Exception as error:
                errors[name] = _as_text(error)
            else:
                errors[name] = None
    return errors


def record_signatures(optimizers: Any) -> Dict[str, str]:
    """`inspect.signature` of all public names and methods."""
    signatures: Dict[str, str] = {}
    for name in bad_inputs.PUBLIC_NAMES:
        public = getattr(optimizers, name, None)
        if public is None:
            continue
        signatures[name] = _signature(public)
        if inspect.isclass(public):
            for method in bad_inputs.PUBLIC_METHODS:
                if hasattr(public, method):
                    signatures[name + "." + method] = _signature(getattr(public, method))
    return signatures


def _signature(public: Any) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", str(inspect.signature(public)))


def _as_text(error: Exception) -> List[str]:
    words = str(error.args[0]) if error.args else ""
    words = re.sub(r" at 0x[0-9a-f]+", "", words)
    return [type(error).__name__, words[:300]]
