"""The examples run as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_stable_baselines3_learns_in_a_benchmark_environment() -> None:
    """Its environment checker finds nothing wrong, and its DQN runs (briefly)."""
    command = [sys.executable, "examples/stable_baselines3_dqn.py", "600"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "DQN after 600 turns" in done.stdout
