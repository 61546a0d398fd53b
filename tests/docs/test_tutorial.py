"""The tutorial's commands work as they stand, one after the other, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_tutorial(tmp_path: Path) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/tutorial.md").read_text(), re.DOTALL)
    assert len(blocks) >= 6
    script = "set -euo pipefail\n" + "\n".join(f"echo '=== block {n}'\n{block}" for n, block in enumerate(blocks))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    chat = done.stdout.split("learning curve")[1]
    assert "Zebra" in chat, "the added venue is the only cheap french place in the east that is quiet"
    assert "01632 960" in chat
    assert (tmp_path / "my-bot/models/restaurants/policy/learning_curve.png").stat().st_size > 5000


EXAMPLES = [path for path in sorted((ROOT / "examples").glob("*.py")) if not path.stem.endswith("_dag")]
"""A DAG is run by Airflow; ``tests/bot/test_batch.py`` checks it."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_run(example: Path, models: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(f"assistant: {ROOT / 'assistants/restaurants'}\nmodels: {models}\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(example)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
