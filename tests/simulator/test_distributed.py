"""A policy trained on a parameter server leaves what the local training leaves, on Ray as in one process."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from policies.dqn_config import DQNConfig
from policies.optimize.parameter_server_files import ServerCheckpointError
from policies.optimize.parameter_server_workers import Sizes
from policies.optimize.ray_connection import WorkerError
from simulator.distributed import RESUME_FOLDER, Spread, train_policy_distributed
from simulator.simulation import SimulationSettings
from simulator.small import small_ontology, small_task
from simulator.training import mixed_errors

QUICK = DQNConfig(
    steps=200, num_envs=32, spike_steps=60, pretrain_updates=60, updates_per_step=1, batch_size=64, capacity=8000,
    hidden=(32,), evaluate_every=100,
)  # fmt: skip
SETTINGS = SimulationSettings(small_task(), errors=mixed_errors())
FILES = {
    "policy.onnx", "manifest.json", "weights.safetensors", "checkpoint.json", "metrics.jsonl", "learning_curve.png",
    "tensorboard",
}  # fmt: skip
HERE = Spread(address="here", lanes=4)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("here")
    report = train_policy_distributed(small_ontology(), SETTINGS, folder, QUICK, HERE, dialogues=100)
    assert report["throughput"]["updates"] == 60 + 140
    assert report["learned"]["reward"] > -5
    return folder


@pytest.fixture
def ray_here() -> Iterator[None]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("needs rejoinder[ray]")
    import ray

    try:
        ray.init(num_cpus=2, object_store_memory=80 * 2**20, include_dashboard=False, log_to_driver=False)
    except Exception as error:
        pytest.skip(f"Ray did not start in time: {error}")
    yield
    ray.shutdown()


def test_it_leaves_what_serving_and_people_need(here: Path) -> None:
    assert {path.name for path in here.iterdir()} == FILES
    rows = [json.loads(line) for line in (here / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [100, 200]


def test_two_workers_and_servers_on_ray_give_the_same_policy(here: Path, ray_here: None, tmp_path: Path) -> None:
    spread = Spread(Sizes(2, 2, 1), lanes=4, every=100)
    report = train_policy_distributed(small_ontology(), SETTINGS, tmp_path, QUICK, spread, dialogues=100)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert report["throughput"]["workers"] == 2
    assert report["recoveries"] == []
    one, two = (load_file(folder / "weights.safetensors") for folder in (here, tmp_path))
    for name, weights in one.items():
        np.testing.assert_allclose(weights, two[name], rtol=1e-2, atol=1e-4)
    late = replace(spread, sizes=Sizes(2, 1, 1, staleness=1))
    short = replace(QUICK, steps=100, pretrain_updates=20)
    report = train_policy_distributed(small_ontology(), SETTINGS, tmp_path / "late", short, late, dialogues=50)
    assert report["throughput"]["updates"] == 20 + 40
    assert {path.name for path in (tmp_path / "late").iterdir()} == FILES


def test_ctrl_c_keeps_a_checkpoint_from_which_another_number_of_workers_goes_on(here: Path, tmp_path: Path) -> None:
    calls = iter([False, False, True])
    stopped = train_policy_distributed(
        small_ontology(), SETTINGS, tmp_path, QUICK, HERE, dialogues=100, stop=lambda: next(calls)
    )
    assert stopped["interrupted"]
    assert (tmp_path / RESUME_FOLDER / "servers.json").exists()
    with pytest.raises(ServerCheckpointError, match="learning_rate"):
        train_policy_distributed(
            small_ontology(), SETTINGS, tmp_path, replace(QUICK, learning_rate=0.1), HERE, resume=True
        )
    more = replace(HERE, sizes=Sizes(2, 3, 2))
    train_policy_distributed(small_ontology(), SETTINGS, tmp_path, QUICK, more, dialogues=100, resume=True)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    whole, resumed = (load_file(folder / "weights.safetensors") for folder in (here, tmp_path))
    for name, weights in whole.items():
        np.testing.assert_allclose(weights, resumed[name], rtol=1e-2, atol=1e-4)


def test_an_address_where_nothing_answers_is_named(tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("needs rejoinder[ray]")
    spread = Spread(address="ray://127.0.0.1:1")
    with pytest.raises(WorkerError, match=r"ray://127.0.0.1:1 doesn't answer.*go without --distributed"):
        train_policy_distributed(small_ontology(), SETTINGS, tmp_path, QUICK, spread)
    assert list(tmp_path.iterdir()) == []
