"""Files of models with edits and right digests do no harm, loaded and used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
# Bytes that loading and using a small model may take, whatever its size.
_ROOM = 2**26


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_edited_files_do_no_harm(fuzz_factor):
    """SKCRL_FUZZ=25 tries 5,000."""
    done = subprocess.run(
        [sys.executable, _HERE / "edited_models.py", "0", str(200 * fuzz_factor)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    outcomes = list(map(json.loads, done.stdout.splitlines()))
    assert done.returncode == 0, (outcomes[-1:], done.stderr[-2000:])
    outcomes = [outcome for outcome in outcomes if "memory" in outcome]
    assert len(outcomes) == 200 * fuzz_factor
    for outcome in outcomes:
        assert outcome.get("refused", True), outcome
        assert not outcome.get("script"), outcome
        assert not outcome["imported"], outcome
        taken, size = outcome["memory"]
        assert taken <= 10 * size + _ROOM, outcome
    n_used = sum("failed" in outcome for outcome in outcomes)
    assert n_used > len(outcomes) / 20
