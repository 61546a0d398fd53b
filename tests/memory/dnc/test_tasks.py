"""The algorithmic tasks are solved by the rule that defines them, and by nothing less."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.dnc.tasks import AlgorithmicTask, AssociativeRecallTask, CopyTask, RepeatCopyTask, TaskBatch, bit_errors

TASKS: list[AlgorithmicTask] = [CopyTask(4), RepeatCopyTask(4, 3), AssociativeRecallTask(5, 2)]
LENGTHS = st.lists(st.integers(2, 6), min_size=1, max_size=5)


def answer(task: AlgorithmicTask, inputs: np.ndarray) -> np.ndarray:
    """What is to be said after one example's question (T, inputs), read step by step from the definition."""
    if isinstance(task, AssociativeRecallTask):
        opened = [t for t in range(len(inputs)) if inputs[t, task.bits] == 1]
        first, last = (t for t in range(len(inputs)) if inputs[t, task.bits + 1] == 1)
        items = [inputs[t + 1 : t + 1 + task.item_length, : task.bits] for t in opened]
        asked = inputs[first + 1 : last, : task.bits]
        (at,) = [i for i, item in enumerate(items) if np.array_equal(item, asked)]
        return items[at + 1]
    (end,) = [t for t in range(len(inputs)) if inputs[t, task.inputs - (1 if isinstance(task, CopyTask) else 2)] == 1]
    told = inputs[:end, :4]
    if isinstance(task, CopyTask):
        return told
    times = round(float(inputs[end, 5]) * np.sqrt(8 / 12) + 2)
    bits = np.concatenate([np.hstack([told, np.zeros((end, 1))])] * times)
    return np.vstack([bits, [0, 0, 0, 0, 1]])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
@settings(max_examples=40, deadline=None)
@given(lengths=LENGTHS, seed=st.integers(0, 2**32 - 1))
def test_targets_follow_from_the_inputs(task: AlgorithmicTask, lengths: list[int], seed: int) -> None:
    batch = task.batch(np.array(lengths), np.random.default_rng(seed))
    steps = len(batch.inputs)
    assert batch.inputs.shape == (steps, len(lengths), task.inputs)
    assert batch.targets.shape == (steps, len(lengths), task.outputs)
    assert batch.mask.shape == (steps, len(lengths))
    assert all(array.dtype == np.float32 for array in batch)
    for row in range(len(lengths)):
        counted = np.flatnonzero(batch.mask[:, row])
        np.testing.assert_array_equal(batch.targets[counted, row], answer(task, batch.inputs[:, row]))
        assert counted.tolist() == list(range(counted[0], counted[-1] + 1))
        assert not batch.inputs[counted[0] :, row].any()  # nothing is whispered while answering
        assert not batch.targets[:, row][batch.mask[:, row] == 0].any()
    assert batch.mask[-1].any()  # not a step longer than the longest example


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_batches_are_the_seeds(task: AlgorithmicTask) -> None:
    lengths = np.array([3, 5, 2])
    one, same, other = (task.batch(lengths, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.inputs, other.inputs)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_bits_are_fair_and_lengths_checked(task: AlgorithmicTask) -> None:
    batch = task.batch(np.full(2000, 4), np.random.default_rng(0))
    bits = batch.targets[batch.mask == 1][:, :4]
    ended = batch.targets[batch.mask == 1][:, 4] if isinstance(task, RepeatCopyTask) else np.zeros(len(bits))
    np.testing.assert_allclose(bits[ended == 0].mean(axis=0), 0.5, atol=0.03)
    with pytest.raises(ValueError, match=f"each {task.shortest} or more"):
        task.batch(np.array([4, task.shortest - 1]), np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least one"):
        task.batch(np.array([], int), np.random.default_rng(0))


def test_repetitions_are_uniform_and_scaled() -> None:
    batch = RepeatCopyTask(2, 4).batch(np.full(4000, 1), np.random.default_rng(0))
    scaled = batch.inputs[1, :, 3]
    assert abs(scaled.mean()) < 0.06
    assert abs(scaled.std() - 1) < 0.05
    np.testing.assert_allclose(np.unique(scaled, return_counts=True)[1] / 4000, 0.25, atol=0.03)
    assert not RepeatCopyTask(2, 1).batch(np.array([1]), np.random.default_rng(0)).inputs[1, 0, 3]


def test_items_differ_even_where_there_are_few() -> None:
    batch = AssociativeRecallTask(2, 2).batch(np.full(500, 4), np.random.default_rng(0))
    codes = (batch.inputs[:12, :, :2].reshape(4, 3, 500, 2)[:, 1:] * [[[[1, 2]]], ]).sum(axis=3)  # fmt: skip
    whole = codes[:, 0] + 4 * codes[:, 1]
    assert all(len(set(whole[:, row])) == 4 for row in range(500))
    with pytest.raises(ValueError, match="too few different items"):
        AssociativeRecallTask(2, 1).batch(np.array([4]), np.random.default_rng(0))


def test_bit_errors_count_what_counts() -> None:
    targets = np.array([[[1, 0]], [[1, 1]], [[0, 0]]], np.float32)
    batch = TaskBatch(np.zeros((3, 1, 1), np.float32), targets, np.array([[1], [1], [0]], np.float32))
    logits = 2 * targets - 1
    assert bit_errors(logits, batch).tolist() == [0]
    logits[2] = 5  # masked
    assert bit_errors(logits, batch).tolist() == [0]
    logits[0, 0, 1], logits[1, 0, 0] = 1, np.nan
    assert bit_errors(logits, batch).tolist() == [0.5]
    assert bit_errors(np.full((3, 1, 2), np.nan, np.float32), batch).tolist() == [1]
