"""A training of a dialogue policy leaves what serving needs, and is a function of its seed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from policies.checkpoint import CheckpointError, load_checkpoint, save_checkpoint, weights_digest
from policies.dqn import DQNConfig
from policies.networks import DuelingNetwork
from policies.resume import ResumeError
from policies.train import plot_learning_curve
from simulator.simulation import SimulationSettings
from simulator.small import small_ontology, small_task
from simulator.training import mixed_errors, summarise, train_policy

QUICK = DQNConfig(
    steps=260, num_envs=32, spike_steps=60, pretrain_updates=150, updates_per_step=2, batch_size=64, capacity=20_000,
    hidden=(64,), evaluate_every=100, threads=1,
)  # fmt: skip
SETTINGS = SimulationSettings(small_task(), errors=mixed_errors())


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    directory = tmp_path_factory.mktemp("policy")
    return directory, train_policy(small_ontology(), SETTINGS, directory, QUICK, dialogues=200)


def test_a_run_leaves_everything_serving_and_people_need(quick_run: tuple[Path, dict[str, object]]) -> None:
    directory, report = quick_run
    names = {path.name for path in directory.iterdir()}
    assert names == {
        "policy.onnx", "manifest.json", "weights.safetensors", "checkpoint.json", "metrics.jsonl", "learning_curve.png",
        "tensorboard",
    }  # fmt: skip
    rows = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [100, 200]
    assert (directory / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert report["env_steps"] == 260 * 32
    learned = report["learned"]
    assert isinstance(learned, dict)
    assert learned["reward"] > 0.0


def test_the_same_seed_gives_the_same_weights(quick_run: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    directory, _ = quick_run
    train_policy(small_ontology(), SETTINGS, tmp_path / "same", QUICK, dialogues=200)
    train_policy(small_ontology(), SETTINGS, tmp_path / "other", replace(QUICK, seed=1, steps=160), dialogues=50)
    first, same, other = (_digest(path) for path in (directory, tmp_path / "same", tmp_path / "other"))
    assert first == same
    assert first != other
    assert (directory / "metrics.jsonl").read_text() == (tmp_path / "same" / "metrics.jsonl").read_text()


def _digest(directory: Path) -> str:
    return str(json.loads((directory / "checkpoint.json").read_text())["sha256"])


def test_ctrl_c_keeps_the_best_so_far(tmp_path: Path) -> None:
    def interrupt(step: int, steps: int, row: object) -> None:
        raise KeyboardInterrupt

    report = train_policy(small_ontology(), SETTINGS, tmp_path, QUICK, dialogues=100, progress=interrupt)
    assert report["interrupted"] is True
    assert (tmp_path / "policy.onnx").exists()
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1


def test_a_run_that_was_cut_off_is_resumed_and_ends_the_same(
    quick_run: tuple[Path, dict[str, object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(step: int, steps: int, row: object) -> None:
        raise RuntimeError("the power is gone")

    monkeypatch.setattr("simulator.training.CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(RuntimeError, match="power"):
        train_policy(small_ontology(), SETTINGS, tmp_path, QUICK, dialogues=200, progress=crash)
    assert json.loads((tmp_path / "resume" / "resume.json").read_text())["step"] == 99
    with pytest.raises(ResumeError, match="begun with simulation ="):
        train_policy(small_ontology(), replace(SETTINGS, max_turns=9), tmp_path, QUICK, dialogues=200, resume=True)
    monkeypatch.setattr("simulator.training.CHECKPOINT_SECONDS", 100.0)
    train_policy(small_ontology(), SETTINGS, tmp_path, QUICK, dialogues=200, resume=True)
    assert _digest(tmp_path) == _digest(quick_run[0])
    assert (tmp_path / "metrics.jsonl").read_text() == (quick_run[0] / "metrics.jsonl").read_text()
    assert not (tmp_path / "resume").exists()


def test_checkpoints_come_back_and_damage_is_named(tmp_path: Path) -> None:
    network, other = DuelingNetwork(3, 2, (4,)), DuelingNetwork(3, 2, (4,))
    save_checkpoint(tmp_path, network, {"note": "x"})
    assert load_checkpoint(tmp_path, other) == {"note": "x"}
    assert weights_digest(network) == weights_digest(other)
    with pytest.raises(CheckpointError, match="does not fit"):
        load_checkpoint(tmp_path, DuelingNetwork(4, 2, (4,)))
    data = bytearray((tmp_path / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "weights.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"weights.safetensors: sha256 differs"):
        load_checkpoint(tmp_path, other)
    with pytest.raises(CheckpointError, match="no such file: train first"):
        load_checkpoint(tmp_path / "nowhere", other)


def test_networks_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    network = DuelingNetwork(3, 2, (4,))
    next(iter(network.parameters())).data[0, 0] = float("nan")
    with pytest.raises(CheckpointError, match="not finite"):
        save_checkpoint(tmp_path, network, {})
    assert not list(tmp_path.iterdir())


def test_the_curve_is_drawn_without_a_display(tmp_path: Path) -> None:
    plot_learning_curve([{"step": 1.0, "reward": 0.0}, {"step": 2.0, "reward": 1.0}], tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_summaries_are_a_function_of_the_seed() -> None:
    from policies.rule import RulePolicy

    ontology = small_ontology()
    one, two, three = (summarise(RulePolicy(ontology), ontology, SETTINGS, 100, seed) for seed in (1, 1, 2))
    assert one == two != three
