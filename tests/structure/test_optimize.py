"""policies/optimize serves any learner: it knows no dialogue, so it imports nothing of the project but itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "policies" / "optimize"
ROOMS = {"memory", "policies", "simulator", "bot", "tests"}


def foreign(source: str) -> set[str]:
    """Modules of the project outside policies/optimize that ``source`` imports, relative imports included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found |= {f"{module}.{alias.name}" for alias in node.names}
    ours = {name for name in found if name.startswith("..") or name.split(".")[0] in ROOMS}
    return {name for name in ours if not name.startswith("policies.optimize.")}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_optimize_imports_nothing_else_of_the_project(path: Path) -> None:
    assert foreign(path.read_text()) == set()


@pytest.mark.parametrize(
    "line",
    ["import memory.turn", "from policies import policy", "from policies.replay import x", "from ..losses import huber",
     "def f():\n    from bot.config import Config"],
)  # fmt: skip
def test_the_check_sees_what_it_forbids(line: str) -> None:
    assert foreign(line)
    assert not foreign("import numpy\nfrom policies.optimize.rmsprop import RMSProp")
