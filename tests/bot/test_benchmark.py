"""The benchmark commands, run as people run them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulator.pydial.worlds import write

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    ontology, table = write(tmp_path_factory.mktemp("hats"))
    return ["--ontology", str(ontology), "--table", str(table)]


def rejoinder(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", "benchmark", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_simulator_speed_of_a_domain_never_seen(files: list[str]) -> None:
    done = rejoinder("simulator", *files, "--num-envs", "256", "--seconds", "1", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["domain"] == "Hats"
    assert report["user_turns_per_cpu_s"] > 50_000
    assert report["dialogues_per_cpu_s"] > 3_000


def test_policies_are_trained_tested_and_kept(files: list[str], tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    command = ["policies", *files, "--envs", "1", "--dialogues", "40", "--test-dialogues", "50", "--out", str(out)]
    command += ["--policy", "dqn,handcrafted", "--processes", "1", "--json"]
    first = rejoinder(*command, "--seeds", "1")
    assert first.returncode == 0, first.stderr
    cells = json.loads(first.stdout)["cells"]
    assert [(cell["domain"], cell["env"], cell["policy"]) for cell in cells] == [
        ("Hats", 1, "dqn"),
        ("Hats", 1, "handcrafted"),
    ]
    kept = out.read_text()
    out.write_text(kept + '{"key": "cut sho')
    again = rejoinder(*command, "--seeds", "1")
    assert json.loads(again.stdout)["cells"] == cells
    assert out.read_text().startswith(kept), "nothing is run twice"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["policies", "--ontology", "x.json"], "both --ontology and --table"),
        (["policies", "--envs", "1-x"], "numbers and ranges"),
        (["policies", "--policy", "sarsa", "--ontology", "FILES"], "policy 'sarsa'"),
        (["policies", "--envs", "9", "--ontology", "FILES"], "no environment 9"),
        (["policies", "--dialogues", "50", "--seconds", "5", "--ontology", "FILES"], "not both"),
        (["simulator", "--policy", "best", "--ontology", "FILES"], "policy 'best'"),
        (["simulator", "--ontology", "no.json", "--table", "no.json"], "no.json: no such file"),
        (["simulator", "--observations", "all", "--ontology", "FILES"], "observations 'all'"),
    ],
)
def test_mistakes_are_explained(files: list[str], arguments: list[str], says: str) -> None:
    if arguments[-1] == "FILES":
        arguments = [*arguments[:-2], *files]
    done = rejoinder(*arguments)
    assert done.returncode in (1, 2)
    assert says in " ".join((done.stdout + done.stderr).replace("│", " ").split())
    assert "Traceback" not in done.stderr
