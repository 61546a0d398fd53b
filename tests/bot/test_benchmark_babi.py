"""``rejoinder benchmark babi``: several seeds, judged as they are served, resumable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.commands import benchmark_babi
from bot.commands.benchmark_babi import markdown, over_seeds
from bot.memory_training import MemoryRun
from memory.dnc.babi import Story
from memory.dnc.story_model import StorySettings
from memory.dnc.training import MemoryTraining

STORY = "1 Priya moved to the attic.\n2 Tom is in the cellar.\n3 Where is Priya?\tattic\t1\n"
WORDS = ["benchmark", "babi", "--seeds", "2", "--tasks", "1", "--steps", "100", "--json"]


def row(seed: int, mean: float, failed: int = 0, **sets: object) -> dict[str, object]:
    def judged(error: float) -> dict[str, object]:
        return {"mean_error": error, "failed": failed, "tasks": {"1": 0.0, "2": 2 * error}}

    named = {name: judged(error) for name, error in sets.items()}  # type: ignore[arg-type]
    return {"seed": seed, "seconds": 60.0, "held_out": judged(mean), "renamed": judged(mean + 0.25), **named}


def test_over_seeds_are_mean_best_interval_and_failed_tasks() -> None:
    rows = [row(0, 0.5), row(1, 1.0, 1), row(2, 3.0, 2)]
    report = over_seeds(rows)
    assert (report["mean_error"], report["best"], report["failed"]) == (1.5, 0.5, [0, 1, 2])
    assert (report["renamed_error"], report["judged_on"]) == (1.75, "held_out")
    assert report["tasks"] == {"1": 0.0, "2": 3.0}
    low, high = report["mean_error_ci"]
    assert 0.5 <= low < 1.5 < high <= 3.0
    page = markdown(rows, report)
    assert page.startswith("| seed | held out % | renamed % | failed |")
    assert "| 2 | 3.00 | 3.25 | 2 | 2: 6.0 | 60 |" in page
    assert page.splitlines()[-1].startswith(f"| mean | 1.50 ({low:.2f}-{high:.2f}) | 1.75 | 1.0 | best 0.50 |")


def test_test_files_come_first_where_there_are_any() -> None:
    report = over_seeds([row(0, 0.5, test=2.0, test_renamed=2.5), row(1, 0.5, test=4.0, test_renamed=4.5)])
    assert (report["judged_on"], report["mean_error"], report["held_out_error"]) == ("test", 3.0, 0.5)
    assert report["renamed_error"] == 3.5


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of a few numbers, three updates a seed."""

    def smaller(lexicon: int) -> StorySettings:
        return StorySettings(lexicon, relation=16, hops=1, key_size=4)

    monkeypatch.setattr("bot.memory_training.network_of", smaller)
    monkeypatch.setattr(
        "bot.commands.train_memory.memory_training",
        lambda steps, seed, support: MemoryTraining(steps=3, seed=seed, support_weight=support, budget=40),
    )


@pytest.mark.usefixtures("small")
def test_finished_seeds_are_kept_and_test_files_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    (data / "qa1_small_train.txt").write_text(STORY * 30)
    (data / "qa1_small_test.txt").write_text(STORY * 3)
    options = [*WORDS, "--data", str(data), "--test", str(data), "--out", str(out)]
    first = CliRunner().invoke(app, options)
    assert first.exit_code == 0, first.output
    report = json.loads(first.stdout)
    assert (report["seeds"], report["judged_on"], len(report["by_seed"])) == ([0, 1], "test", 2)
    assert set(report["tasks"]) == {"1"}
    assert {"runs.jsonl", "table.md", "curves.png", "seed-0", "seed-1"} == {path.name for path in out.iterdir()}
    rows = [json.loads(line) for line in (out / "runs.jsonl").read_text().splitlines()]
    assert all(set(benchmark_babi.JUDGED) < set(each) for each in rows)
    manifests = [json.loads((out / f"seed-{seed}" / "manifest.json").read_text()) for seed in range(2)]
    assert [each["training"]["seed"] for each in manifests] == [0, 1]
    assert manifests[0]["sha256"] != manifests[1]["sha256"]

    trained = benchmark_babi.train_run
    again: list[int] = []

    def counted(run, **kw):  # type: ignore[no-untyped-def]
        again.append(run.training.seed)
        return trained(run, **kw)

    monkeypatch.setattr(benchmark_babi, "train_run", counted)
    (out / "runs.jsonl").write_text(json.dumps(rows[0]) + "\n" + json.dumps(rows[1])[:50])  # killed while writing
    second = CliRunner().invoke(app, options)
    assert second.exit_code == 0, second.output
    assert again == [1]
    assert json.loads(second.stdout)["by_seed"] == report["by_seed"]


def test_runs_on_other_files_or_settings_are_others(tmp_path: Path) -> None:
    file = tmp_path / "qa1_small_train.txt"
    file.write_text(STORY * 30)
    run = MemoryRun((1,), tmp_path, 0, tmp_path / "out", MemoryTraining())
    tests = [Story(1, ("Priya is here.",))]
    keys = {benchmark_babi.run_key(run, []), benchmark_babi.run_key(run, tests)}
    keys |= {benchmark_babi.run_key(replace(run, **change), []) for change in ({"generated": 1}, {"tasks": (1, 21)})}
    keys.add(benchmark_babi.run_key(replace(run, training=MemoryTraining(support_weight=0)), []))
    file.write_text(STORY * 31)
    keys.add(benchmark_babi.run_key(run, []))
    assert len(keys) == 6
    file.write_text(STORY * 30)
    assert benchmark_babi.run_key(replace(run, out=tmp_path), []) in keys


@pytest.mark.usefixtures("small")
def test_an_interrupted_seed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    (data / "qa1_small_train.txt").write_text(STORY * 30)
    options = [*WORDS, "--data", str(data), "--out", str(out)]
    trained = benchmark_babi.train_run

    def stopped(run, **kw):  # type: ignore[no-untyped-def]
        return replace(trained(run, **kw), interrupted=run.training.seed == 1)

    monkeypatch.setattr(benchmark_babi, "train_run", stopped)
    first = CliRunner().invoke(app, options)
    assert first.exit_code == 130
    assert json.loads(first.stdout) == {"interrupted": True, "seed": 1, "steps": 3}
    assert (out / "seed-0" / "manifest.json").exists()
    assert (out / "seed-1" / "resume" / "resume.json").exists()
    monkeypatch.setattr(benchmark_babi, "train_run", trained)
    assert CliRunner().invoke(app, options).exit_code == 0
    assert not (out / "seed-1" / "resume").exists()
