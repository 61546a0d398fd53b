"""What a training writes down: metrics, TensorBoard's event files, curves over seeds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from policies.curves import bootstrap_interval, plot_learning_curves
from policies.networks import DuelingNetwork
from policies.record import Record


def scripted(rewards: list[float], seen: list[bool] | None = None):  # type: ignore[no-untyped-def]
    remaining = iter(rewards)

    def evaluate(network: torch.nn.Module) -> dict[str, float]:
        if seen is not None:
            seen.append(network.training)
        return {"reward": next(remaining), "success": 0.5}

    return evaluate


def record(folder: Path, rewards: list[float], network: DuelingNetwork) -> Record:
    return Record(network, scripted(rewards), 40, None, folder / "metrics.jsonl", folder / "tensorboard")


def test_the_best_network_is_kept_and_later_ones_do_not_change_it(tmp_path: Path) -> None:
    network, seen = DuelingNetwork(2, 2, (), noisy=0.5), []
    kept = Record(network, scripted([1.0, 3.0, 2.0], seen), 40)
    for step in (10, 20, 30):
        with torch.no_grad():
            network.advantage.bias.fill_(float(step))
        kept.take(step, {"loss": 0.1})
    assert kept.result.best == {"step": 20.0, "loss": 0.1, "reward": 3.0, "success": 0.5}
    assert kept.result.network.advantage.bias.tolist() == [20.0, 20.0]  # type: ignore[union-attr]
    assert seen == [False] * 3  # noise is off while a policy is judged
    assert network.training
    assert not kept.result.network.training


def test_a_resumed_record_writes_the_files_an_uninterrupted_one_does(tmp_path: Path) -> None:
    network, rewards = DuelingNetwork(2, 2, ()), [1.0, 2.0, 3.0]
    whole = record(tmp_path / "whole", rewards, network)
    for step in (10, 20, 30):
        whole.take(step, {"loss": step / 10})
    whole.close()
    first = record(tmp_path / "cut", rewards, network)
    first.take(10, {"loss": 1.0})
    state = first.state()
    first.take(20, {"loss": 9.0})  # beyond the checkpoint: lost with the process
    first.close()
    second = record(tmp_path / "cut", rewards[1:], network)
    second.load_state(state)
    for step in (20, 30):
        second.take(step, {"loss": step / 10})
    second.close()
    whole_rows, cut_rows = ((tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "cut"))
    assert whole_rows == cut_rows
    assert [json.loads(line)["step"] for line in cut_rows.splitlines()] == [10.0, 20.0, 30.0]
    assert scalars(tmp_path / "cut" / "tensorboard") == scalars(tmp_path / "whole" / "tensorboard")


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard itself reads from an event folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_reads_every_metric(tmp_path: Path) -> None:
    kept = record(tmp_path, [1.0, 2.0], DuelingNetwork(2, 2, ()))
    kept.take(10, {"loss": 0.5})
    kept.take(20, {"loss": 0.25})
    assert scalars(tmp_path / "tensorboard") == {
        "loss": [(10, 0.5), (20, 0.25)], "reward": [(10, 1.0), (20, 2.0)], "success": [(10, 0.5), (20, 0.5)],
    }  # fmt: skip


def test_intervals_cover_the_mean_about_as_often_as_they_say() -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        low, high = bootstrap_interval(rng.normal(size=(20, 1)).astype(np.float32), draws=400)
        covered += bool(low[0] <= 0.0 <= high[0])
    assert 0.87 <= covered / 200 <= 0.99


def test_curves_over_seeds_are_drawn_where_all_seeds_have_values(tmp_path: Path) -> None:
    histories = [[{"step": float(s), "reward": s * (1 + seed)} for s in (1, 2, 3)] for seed in range(5)]
    histories[4] = histories[4][:2]  # an interrupted run
    plot_learning_curves(histories, tmp_path / "curves.png", baseline=2.0)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="at least one history"):
        plot_learning_curves([], tmp_path / "none.png")
