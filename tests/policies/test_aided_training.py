"""Aided training: each aid changes what it says, the same run gives the same row, and all aids together learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from memory.dnc.tasks import CopyTask
from policies import aided_training
from policies.aided_training import (
    AIDS,
    AidedRun,
    RandomStart,
    aids_of,
    bit_losses,
    make_machine,
    make_task,
    train_aided,
)

SMALL = AidedRun("copy", "dnc", aids_of("all"), 0, steps=6, batch=4, longest=3, bits=2, hidden=12, memory_size=5,
                 word_size=4, tests=3, test_examples=16)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_names_of_conditions() -> None:
    assert aids_of("none") == frozenset()
    assert aids_of("grad-clip") == {"grad-clip"}
    assert aids_of("all") == {"grad-clip", "loss-clip", "adam", "initial-memory", "curriculum"}
    assert aids_of("all-but-adam") == aids_of("all") - {"adam"}
    assert aids_of("all-rmsprop") == (aids_of("all") - {"adam"}) | {"rmsprop"}
    for wrong in ("all-but-rmsprop", "dropout", ""):
        with pytest.raises(ValueError, match="say one of none, all"):
            aids_of(wrong)
    with pytest.raises(ValueError, match="give one of them"):
        replace(SMALL, aids=frozenset({"adam", "rmsprop"}))


@pytest.mark.parametrize("task", ["copy", "repeat-copy", "associative-recall"])
@pytest.mark.parametrize("machine", ["ntm", "dnc"])
def test_the_same_run_gives_the_same_row(task: str, machine: str) -> None:
    run = replace(SMALL, task=task, machine=machine)  # type: ignore[arg-type]
    rows = [train_aided(run) for _ in range(2)]
    for row in rows:
        assert row.pop("seconds") >= 0
    assert rows[0] == rows[1]
    assert [point["step"] for point in rows[0]["curve"]] == [0, 2, 4, 6]
    assert train_aided(replace(run, seed=1))["curve"] != rows[0]["curve"]


@pytest.mark.parametrize("machine", ["ntm", "dnc"])
def test_each_aid_changes_the_training(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aided_training, "CHANCE", 0.3)  # so that every loss of a beginner is above it
    run = replace(SMALL, machine=machine, aids=frozenset(), batch=16)  # type: ignore[arg-type]
    trained = {name: weights_after(replace(run, aids=aids_of(name))) for name in ("none", *AIDS)}
    for aid in AIDS:
        assert not np.array_equal(trained[aid], trained["none"]), aid


def weights_after(run: AidedRun) -> np.ndarray:
    """The output layer's weights after training, caught on the way."""
    caught: list[torch.nn.Module] = []
    make = aided_training.make_machine
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aided_training, "make_machine", lambda *args: caught.append(make(*args)) or caught[0])
        patch.setattr(aided_training, "clip_norm", lambda parameters, limit: shrink(parameters))
        train_aided(run)
    return next(caught[0].parameters()).detach().numpy().copy()


def shrink(parameters: object) -> None:
    """Stands for a norm that is clipped: a beginner's gradients of so small a machine are below the real limit."""
    for weight in parameters:  # type: ignore[attr-defined]
        weight.grad *= 0.5


def test_memory_begins_as_the_aid_says() -> None:
    task = make_task(SMALL)
    plain = replace(SMALL, aids=frozenset())
    random = make_machine(plain, task)
    assert isinstance(random, RandomStart)
    assert random.fresh.std() > 0.2
    ntm = [make_machine(replace(run, machine="ntm"), task).fresh.std().item() for run in (SMALL, plain)]
    assert ntm[0] < 1e-6
    assert ntm[1] > 0.2


def test_losses_are_those_of_the_bits_that_count() -> None:
    batch = CopyTask(3).batch(np.array([1, 3]), np.random.default_rng(0))
    flat = bit_losses(torch.zeros(batch.targets.shape), batch)
    np.testing.assert_allclose(flat, np.log(2), rtol=1e-6)
    right = torch.from_numpy(20 * (2 * batch.targets - 1))
    right[torch.from_numpy(batch.mask) == 0] *= -1
    assert bit_losses(right, batch).max() < 1e-6


def test_a_loss_that_is_not_finite_ends_the_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    updates: list[int] = []

    def broken(*_: object) -> torch.Tensor:
        updates.append(1)
        return torch.full((4,), torch.nan)

    monkeypatch.setattr(aided_training, "_update", broken)
    row = train_aided(SMALL)
    assert len(updates) == 1
    assert len(row["curve"]) == 4
    assert row["learned_at"] is None


def test_all_aids_together_learn_to_copy() -> None:
    run = replace(SMALL, steps=250, longest=1, batch=16, hidden=24)
    row = train_aided(run)
    assert row["curve"][0]["error"] > 0.3
    assert row["error"] < 0.01
    assert row["learned_at"] is not None
