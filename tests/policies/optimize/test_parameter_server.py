"""Shards move like the optimisers they stand for; workers and servers change nothing; deaths cost only time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.optimize.parameter_server import (
    OptimizerName,
    ServerSettings,
    ServerSettingsError,
    Shard,
    Vector,
    division,
)
from policies.optimize.parameter_server_files import MANIFEST, ServerCheckpointError, ServerCheckpoints
from policies.optimize.parameter_server_training import TRIES, Course, conduct
from policies.optimize.parameter_server_workers import Clocks, LocalGroup, Sizes, Snapshot
from policies.optimize.ray_connection import WorkerError
from policies.optimize.rmsprop import RMSProp
from tests.policies.optimize.served import PARTS, PROGRAM, SIZE, Onlooker

START = np.zeros(SIZE, dtype=np.float32)
ADAM = ServerSettings(clip=5.0, average=0.1)
COURSE = Course(30, lambda update: 0.1 - 0.003 * update, every=10, pause=0.0)


def gradients(count: int) -> list[Vector]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=SIZE).astype(np.float32) * np.float32(3) for _ in range(count)]


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("shards", [1, 3, 5])
def test_shards_together_are_the_optimiser_with_clipping(name: OptimizerName, shards: int) -> None:
    weight = torch.zeros(SIZE, requires_grad=True)
    options: dict[OptimizerName, tuple[torch.optim.Optimizer, ServerSettings]] = {
        "adam": (torch.optim.Adam([weight], lr=0.05), ServerSettings(clip=4.0)),
        "rmsprop": (
            RMSProp([weight], 0.05, 0.95, 0.9, 1e-4),
            ServerSettings("rmsprop", (0.9, 0.95), 0.9, 1e-4, clip=4.0),
        ),
        "sgd": (torch.optim.SGD([weight], lr=0.05, momentum=0.5), ServerSettings("sgd", momentum=0.5, clip=4.0)),
    }
    optimiser, chosen = options[name]
    spans = [slice(span.start, span.stop) for span in division(SIZE, shards)]
    parts = [Shard(START[span], chosen) for span in spans]
    for update, gradient in enumerate(gradients(12)):
        weight.grad = torch.from_numpy(gradient.copy())
        torch.nn.utils.clip_grad_norm_([weight], 4.0)
        optimiser.step()
        squares = [part.combine(update, [(1.0, gradient[span])]) for part, span in zip(parts, spans, strict=True)]
        for part in parts:
            part.apply(update, squares, 0.05)
    np.testing.assert_allclose(
        np.concatenate([part.parameters for part in parts]), weight.detach().numpy(), rtol=2e-5, atol=1e-6
    )


def test_the_whole_gradient_is_clipped_and_not_each_shards_part() -> None:
    shards = [Shard(np.zeros(1, dtype=np.float32), ServerSettings("sgd", clip=1.0)) for _ in range(2)]
    squares = [
        shard.combine(0, [(1.0, np.array([size], dtype=np.float32))])
        for shard, size in zip(shards, (3, 4), strict=True)
    ]
    moved = [shard.apply(0, squares, 1.0).parameters[0] for shard in shards]
    np.testing.assert_allclose(moved, [-0.6, -0.8], rtol=1e-6)


def test_a_gradient_that_is_not_finite_moves_nothing() -> None:
    shards = [Shard(np.ones(2, dtype=np.float32), ServerSettings()) for _ in range(2)]
    squares = [
        shard.combine(4, [(1.0, np.array([value, 0], dtype=np.float32))])
        for shard, value in zip(shards, (1, np.nan), strict=True)
    ]
    for shard in shards:
        with pytest.raises(FloatingPointError, match="update 4"):
            shard.apply(4, squares, 0.1)
        assert (shard.parameters == 1).all()
        assert shard.updates == 0


def test_settings_out_of_range_are_named() -> None:
    for wrong in ({"clip": 0.0}, {"average": 0.0}, {"decay": (1.0, 0.9)}, {"optimizer": "lion"}):
        with pytest.raises(ServerSettingsError, match=next(iter(wrong))):
            ServerSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("sizes", [Sizes(2, 3, 2), Sizes(4, 1, 3), Sizes(3, 2, 1)])
def test_workers_servers_and_stores_change_nothing_but_rounding(sizes: Sizes) -> None:
    rates = [0.1] * 25
    one, many = (LocalGroup(PROGRAM, START, ADAM, size) for size in (Sizes(), sizes))
    figures = [group.advance(0, rates) for group in (one, many)]
    np.testing.assert_allclose(one.pull().parameters, many.pull().parameters, rtol=1e-5)
    np.testing.assert_allclose(one.pull().average, many.pull().average, rtol=1e-5)
    assert abs(one.pull().parameters - START).min() > 0.01
    np.testing.assert_allclose(*[[row["gradient_norm"] for row in rows] for rows in figures], rtol=1e-4)
    again = LocalGroup(PROGRAM, START, ADAM, Sizes(1, 4, 4))
    again.recover(many.snapshot())
    assert (again.pull().parameters == many.pull().parameters).all()
    np.testing.assert_allclose(*(g.advance(25, rates) and g.pull().parameters for g in (one, again)), rtol=1e-5)


def test_more_servers_than_parameters_or_workers_than_parts_are_refused() -> None:
    for sizes in (Sizes(servers=SIZE + 1), Sizes(workers=PARTS + 1)):
        with pytest.raises(ValueError, match="can't be divided"):
            LocalGroup(PROGRAM, START, ADAM, sizes)


@given(st.integers(1, 6), st.integers(0, 3), st.integers(0, 7), st.integers(0, 40), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_no_worker_gets_ahead_of_the_slowest_by_more_than_allowed(
    workers: int, stale: int, first: int, count: int, random: Any
) -> None:
    clocks = Clocks(workers, stale, first, first + count)
    running: dict[int, int] = {}
    done: list[int] = []
    while clocks.busy:
        for worker, update in clocks.ready():
            assert update % workers == worker
            running[worker] = update
        undone = set(range(first, first + count)) - set(done)
        assert max(running.values()) // workers - min(undone) // workers <= stale
        worker = random.choice(sorted(running))
        done.append(running.pop(worker))
        clocks.done(worker)
    assert sorted(done) == list(range(first, first + count))


class Mortal(LocalGroup):
    """Dies before the calls of ``advance`` numbered ``deaths``, having lost what it had."""

    def __init__(self, deaths: Sequence[int], sizes: Sizes) -> None:
        super().__init__(PROGRAM, START, ADAM, sizes)
        self.deaths, self.calls = deaths, 0

    def advance(self, first: int, rates: Sequence[float]) -> list[dict[str, float]]:
        self.calls += 1
        if self.calls in self.deaths:
            super().advance(first, rates[:2])
            raise WorkerError("a worker died")
        return super().advance(first, rates)


@pytest.mark.parametrize("on_disk", [False, True])
def test_deaths_cost_time_and_nothing_else(tmp_path: Path, on_disk: bool) -> None:
    quiet, disturbed = Mortal((), Sizes(2, 2, 2)), Mortal((2, 4, 5, 9), Sizes(2, 2, 2))
    onlookers = Onlooker(), Onlooker()
    conduct(quiet, COURSE, onlookers[0])
    kept = ServerCheckpoints(tmp_path / "kept", {}) if on_disk else None
    finish = conduct(disturbed, COURSE, onlookers[1], kept)
    assert len(finish.recoveries) == 4
    assert (quiet.pull().parameters == disturbed.pull().parameters).all()
    assert onlookers[0].losses == onlookers[1].losses
    assert len(onlookers[0].losses) == COURSE.updates


def test_endless_dying_is_given_up() -> None:
    with pytest.raises(WorkerError, match=f"{TRIES + 1}th time in a row"):
        conduct(Mortal(range(2, 100), Sizes()), COURSE, Onlooker())


def test_a_stopped_training_goes_on_with_other_sizes(tmp_path: Path) -> None:
    whole = LocalGroup(PROGRAM, START, ADAM)
    conduct(whole, COURSE, Onlooker())
    checkpoints = ServerCheckpoints(tmp_path, {"seed": 1})
    asked = iter([False, True])
    first = conduct(
        LocalGroup(PROGRAM, START, ADAM, Sizes(2)), COURSE, Onlooker(), checkpoints, stop=lambda: next(asked)
    )
    assert first.interrupted
    onlooker, rest = Onlooker(), LocalGroup(PROGRAM, START, ADAM, Sizes(4, 3, 2))
    last = conduct(rest, COURSE, onlooker, checkpoints, resume=True)
    assert (first.updates, last.updates, len(onlooker.losses)) == (10, 20, 30)
    np.testing.assert_allclose(rest.pull().parameters, whole.pull().parameters, rtol=1e-5)
    with pytest.raises(ServerCheckpointError, match="seed = 1, now it is 2"):
        ServerCheckpoints(tmp_path, {"seed": 2}).load()


def test_a_damaged_checkpoint_is_named_and_an_unfinished_one_is_not_used(tmp_path: Path) -> None:
    checkpoints = ServerCheckpoints(tmp_path, {})
    assert checkpoints.load() is None
    group = LocalGroup(PROGRAM, START, ADAM)
    checkpoints.save(group.snapshot(), {})
    (tmp_path / "server-99.safetensors.part").write_bytes(b"half")
    found = checkpoints.load()
    assert found is not None
    assert isinstance(found[0], Snapshot)
    name = json.loads((tmp_path / MANIFEST).read_text())["files"]["server"]["file"]
    (tmp_path / name).write_bytes(b"damaged")
    with pytest.raises(ServerCheckpointError, match=f"{name}.*damaged.*begins anew"):
        checkpoints.load()
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(ServerCheckpointError, match=MANIFEST):
        checkpoints.load()
