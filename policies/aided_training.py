"""Memory machines trained on algorithmic tasks, with or without training aids (torch; training only)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from memory.dnc.cell import DNC, DNCSettings
from memory.dnc.compiled import compiled_dnc
from memory.dnc.ntm import NTM, NTMSettings
from memory.dnc.tasks import (
    AlgorithmicTask,
    AssociativeRecallTask,
    CopyTask,
    Lengths,
    RepeatCopyTask,
    TaskBatch,
    bit_errors,
)
from policies.optimize.clipping import cap_losses, clip_norm
from policies.optimize.curriculum import Curriculum, CurriculumSettings
from policies.optimize.rmsprop import OptimizerSettings, make_optimizer

TaskName = Literal["copy", "repeat-copy", "associative-recall"]
MachineName = Literal["ntm", "dnc"]
Aid = Literal["grad-clip", "loss-clip", "rmsprop", "adam", "initial-memory", "curriculum"]

AIDS: tuple[Aid, ...] = get_args(Aid)
ALL: frozenset[Aid] = frozenset(AIDS) - {"rmsprop"}
"""Every aid at once, as ``all`` means it: a run has one optimiser, so Adam and not RMSProp."""

CHANCE = float(np.log(2))
"""Loss per bit of a coin, in nats: the cap of ``loss-clip``."""


@dataclass(frozen=True)
class AidedRun:
    """One training: all that decides its outcome.

    Args:
        task, machine: what is learned and by what.
        aids: the training aids in use (`aids_of` makes them from a condition's name); without ``adam`` and
            ``rmsprop`` the optimiser is SGD with momentum 0.9. ValueError with both.
        seed: of parameters and examples.
        steps: updates.
        batch: examples an update.
        longest: the longest sequences (items for associative recall); training without a curriculum and all tests
            draw lengths uniformly up to it.
        bits: width of the task; hidden, memory_size, word_size: of the machine.
        adam_rate, rmsprop_rate, sgd_rate: learning rates, each the best of four or five on seed 100 (copy, DNC, all
            other aids).
        norm: the largest norm of a gradient that ``grad-clip`` lets pass.
        tests: how often it is tested; test_examples: each time, always the same ones.
    """

    task: TaskName
    machine: MachineName
    aids: frozenset[Aid]
    seed: int
    steps: int = 500
    batch: int = 16
    longest: int = 5
    bits: int = 4
    hidden: int = 64
    memory_size: int = 16
    word_size: int = 12
    adam_rate: float = 0.02
    rmsprop_rate: float = 0.02
    sgd_rate: float = 3.0
    norm: float = 1.0
    tests: int = 20
    test_examples: int = 128

    def __post_init__(self) -> None:
        if {"adam", "rmsprop"} <= self.aids:
            raise ValueError("adam and rmsprop are both optimisers: give one of them")


def aids_of(condition: str) -> frozenset[Aid]:
    """The aids of ``none``, of one aid's name, ``all``, ``all-rmsprop`` (in Adam's place) or ``all-but-AID``.

    ``all-but-adam`` leaves SGD. ValueError for any other name.
    """
    if condition == "all-rmsprop":
        return (ALL - {"adam"}) | {"rmsprop"}
    named: dict[str, frozenset[Aid]] = {"none": frozenset(), "all": ALL, **{aid: frozenset({aid}) for aid in AIDS}}
    named |= {f"all-but-{aid}": ALL - {aid} for aid in AIDS if aid in ALL}
    if condition not in named:
        raise ValueError(f"aid {condition!r}: say one of {', '.join([*named, 'all-rmsprop'])}")
    return named[condition]


def train_aided(run: AidedRun, report: Callable[[int], None] = lambda step: None) -> dict[str, Any]:
    """Train and test: a JSON row with ``curve``, one ``step``, ``error`` and ``longest_error`` for each test.

    ``error`` is the share of wrong bits over all lengths, ``longest_error`` the one of the longest. ``learned_at`` is
    the first tested step from which on the error stays below 1 %, None without one. ``seconds`` is CPU time. The same
    run gives the same row but for the seconds. Once a loss isn't finite there are no more updates, only tests.
    """
    started, task = time.process_time(), make_task(run)
    torch.manual_seed(run.seed)
    model, rng = make_machine(run, task), np.random.default_rng([run.seed, 1])
    optimizer = _optimizer(model, run)
    curriculum = Curriculum(CurriculumSettings(task.shortest, run.longest, target=0.15), run.seed)
    test_rng = np.random.default_rng(7)
    judged = task.batch(_uniform(task, run.longest, run.test_examples, test_rng), test_rng)
    long = task.batch(np.full(run.test_examples // 2, run.longest), test_rng)
    curve, finite = [{"step": 0, **_test(model, judged, long)}], True
    for step in range(1, run.steps + 1):
        if finite:
            guided = "curriculum" in run.aids
            lengths = curriculum.draw(run.batch) if guided else _uniform(task, run.longest, run.batch, rng)
            losses = _update(model, optimizer, task.batch(lengths, rng), run)
            hardest = losses[torch.from_numpy(lengths >= curriculum.length)]
            curriculum.report(hardest.mean().item())
            finite = bool(torch.isfinite(losses).all())
        if step % max(1, run.steps // run.tests) == 0 or step == run.steps:
            curve.append({"step": step, **_test(model, judged, long)})
        report(step)
    wrong = [place for place, row in enumerate(curve) if not row["error"] < 0.01]
    learned = curve[wrong[-1] + 1]["step"] if wrong[-1] + 1 < len(curve) else None
    last = {name: curve[-1][name] for name in ("error", "longest_error")}
    return {**last, "learned_at": learned, "seconds": time.process_time() - started, "curve": curve}


def make_task(run: AidedRun) -> AlgorithmicTask:
    """The task of a run."""
    match run.task:
        case "copy":
            return CopyTask(run.bits)
        case "repeat-copy":
            return RepeatCopyTask(run.bits, repeats=3)
        case "associative-recall":
            return AssociativeRecallTask(run.bits, item_length=2)


def make_machine(run: AidedRun, task: AlgorithmicTask) -> nn.Module:
    """The machine of a run: (T, B, inputs) -> (T, B, outputs) and its state.

    Without the aid ``initial-memory`` the memory begins with random numbers, drawn once; with it, with a small
    constant (NTM; Collier and Beel 2018) or zeros (DNC).
    """
    fresh: Literal["constant", "random"] = "constant" if "initial-memory" in run.aids else "random"
    size = (task.inputs, task.outputs, run.hidden, run.memory_size, run.word_size)
    match run.machine:
        case "ntm":
            return NTM(NTMSettings(*size, initial_memory=fresh))
        case "dnc":
            machine = DNC(DNCSettings(*size))
            return ZeroStart(machine) if fresh == "constant" else RandomStart(machine)


class ZeroStart(nn.Module):
    """A DNC whose memory begins empty, compiled where numba is installed."""

    def __init__(self, machine: DNC) -> None:
        super().__init__()
        self.machine = machine

    def forward(self, sequence: Tensor) -> Any:
        """(T, B, inputs) -> (T, B, outputs) and the state after the last step."""
        return compiled_dnc(self.machine, sequence)


class RandomStart(nn.Module):
    """A DNC whose memory begins with random numbers, drawn once, like that of an NTM with ``random`` memory."""

    fresh: Tensor

    def __init__(self, machine: DNC) -> None:
        super().__init__()
        self.machine = machine
        settings = machine.settings
        self.register_buffer("fresh", 0.5 * torch.randn(settings.memory_size, settings.word_size))

    def forward(self, sequence: Tensor) -> Any:
        """(T, B, inputs) -> (T, B, outputs) and the state after the last step."""
        state = self.machine.initial(sequence.shape[1])
        access = state.access._replace(memory=self.fresh.expand_as(state.access.memory))
        return compiled_dnc(self.machine, sequence, state._replace(access=access))


def bit_losses(logits: Tensor, batch: TaskBatch) -> Tensor:
    """(B,) mean cross-entropy of the bits that count, in nats; ``logits`` (T, B, outputs)."""
    targets, mask = torch.from_numpy(batch.targets), torch.from_numpy(batch.mask)
    losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=2)
    return (losses * mask).sum(dim=0) / mask.sum(dim=0)


def _update(model: nn.Module, optimizer: torch.optim.Optimizer, batch: TaskBatch, run: AidedRun) -> Tensor:
    """One update; returns the losses before it (B,)."""
    losses = bit_losses(model(torch.from_numpy(batch.inputs))[0], batch)
    loss = (cap_losses(losses, CHANCE) if "loss-clip" in run.aids else losses).mean()
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if "grad-clip" in run.aids:
        clip_norm(model.parameters(), run.norm)
    optimizer.step()
    return losses.detach()


def _optimizer(model: nn.Module, run: AidedRun) -> torch.optim.Optimizer:
    if "adam" in run.aids:
        return make_optimizer(model.parameters(), OptimizerSettings("adam", run.adam_rate))
    if "rmsprop" in run.aids:
        return make_optimizer(model.parameters(), OptimizerSettings("rmsprop", run.rmsprop_rate))
    return torch.optim.SGD(model.parameters(), run.sgd_rate, momentum=0.9)


def _uniform(task: AlgorithmicTask, longest: int, count: int, rng: np.random.Generator) -> Lengths:
    return rng.integers(task.shortest, longest, count, endpoint=True)


@torch.no_grad()
def _test(model: nn.Module, judged: TaskBatch, long: TaskBatch) -> dict[str, float]:
    error, longest = (
        float(bit_errors(cast(Tensor, model(torch.from_numpy(batch.inputs))[0]).numpy(), batch).mean())
        for batch in (judged, long)
    )
    return {"error": error, "longest_error": longest}
