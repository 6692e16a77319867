"""Run a script of this folder in a process of its own, and measure a call there."""

import atexit
import os
import subprocess
import sys
import time
from pathlib import Path

from _store import ROOT, leave_note

# Processes leave notes of what they imported in the folder that this variable names.
NOTES = "SKCRL_NOTES"
if NOTES in os.environ:
    atexit.register(leave_note, os.environ[NOTES])
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


# An environment of packages that want older releases of NumPy, SciPy and scikit-learn.
# `make .venv-old-peers/installed` makes it.
OLD_PEERS = ROOT / ".venv-old-peers" / "bin" / "python"


def python_with(package):
    """The interpreter in which a package may be imported."""
    is_old = package in ("mvlearn", "pyrcca") and OLD_PEERS.exists()
    return str(OLD_PEERS) if is_old else sys.executable


def in_fresh_process(script, *arguments, python=sys.executable):
    """What a script prints, run on one thread."""
    run = subprocess.run(
        [python, script, *map(str, arguments)],
        env=os.environ | ONE_THREAD,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise RuntimeError(f"{script} {' '.join(map(str, arguments))}:\n{run.stderr}")
    return run.stdout


def measured(function):
    """Result of one call, its CPU seconds, and MB of its peak above what was there."""
    reset_peak()
    before, begin = resident_mb(), time.process_time()
    result = function()
    seconds = time.process_time() - begin
    return result, seconds, peak_mb() - before


def reset_peak():
    """Start :func:`peak_mb` anew."""
    Path("/proc/self/clear_refs").write_text("5")


def resident_mb():
    """Resident memory of this process."""
    return _status("VmRSS")


def held_mb():
    """Memory of this process alone, without what is mapped from files."""
    return _status("RssAnon")


def peak_mb():
    """Its highest value since :func:`reset_peak`."""
    return _status("VmHWM")


def _status(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / 1024
    raise KeyError(field)
