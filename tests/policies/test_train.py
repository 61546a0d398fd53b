"""The learner solves every probe environment, and a run is a function of its seed."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.checkpoint import CheckpointError, load_checkpoint, save_checkpoint, weights_digest
from policies.dqn import DQNConfig, network_values
from policies.networks import DuelingNetwork
from policies.policy import greedy_output
from policies.train import TrainingResult, plot_learning_curve, train_dqn
from simulator.probes import CONSTANT, DELAY, PROBES, Probe, ProbeEnv, mean_return
from simulator.simulation import SimulationSettings
from simulator.small import small_ontology, small_task
from simulator.training import mixed_errors, summarise, train_policy

PROBE_CONFIG = DQNConfig(
    steps=200, num_envs=16, spike_steps=20, pretrain_updates=50, updates_per_step=3, batch_size=64, capacity=8000,
    hidden=(32,), epsilon_start=0.5, epsilon_end=0.05, tau=0.05, learning_rate=5e-3, learning_rate_end=1e-3,
    evaluate_every=60, threads=1,
)  # fmt: skip


def solve(probe: Probe, seed: int) -> tuple[TrainingResult, float]:
    config = replace(PROBE_CONFIG, reward_scale=1 / max(probe.optimum, 1.0), gamma=probe.gamma, seed=seed)

    def evaluate(network: nn.Module) -> dict[str, float]:
        def act(features: FloatArray, masks: BoolArray) -> IntArray:
            return greedy_output(network_values(network, features), masks).actions

        return {"reward": mean_return(ProbeEnv(probe), act)}

    began = time.process_time()
    return train_dqn(ProbeEnv(probe), config, evaluate), time.process_time() - began


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: str(probe.name))
def test_dqn_solves_the_probe(probe: Probe, seed: int) -> None:
    result, seconds = solve(probe, seed)
    assert result.best["reward"] == pytest.approx(probe.optimum)
    assert result.history[-1]["reward"] == pytest.approx(probe.optimum)
    assert seconds <= 10.0
    values = network_values(result.network, np.eye(probe.states, dtype=np.float32))
    if probe is CONSTANT:
        assert values[0, 0] == pytest.approx(1.0, abs=0.05)
    if probe is DELAY:
        after_one = [values[0, 1], values[2].max(), values[4].max()]
        assert after_one == pytest.approx([0.25, 0.5, 1.0], abs=0.1)


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
