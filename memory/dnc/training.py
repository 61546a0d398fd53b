"""Training a story memory on many tasks at once: harder tasks are drawn more often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own name for it)

from memory.dnc.encoding import Batch, EncodedStory, budgeted, collate, meanings_of
from memory.dnc.story_model import StoryModel


@dataclass(frozen=True)
class MemoryTraining:
    """How a story memory is trained.

    Args:
        steps: updates of the parameters.
        budget: statements plus twice the questions of a batch.
        learning_rate: of Adam at its height; warms up over ``warmup`` steps, then falls along a cosine to 2 %.
        support_weight: of the loss on reads that miss a supporting statement; 0 learns from answers alone.
        forget: share of the stories in which names such as "kitchen" lose their meaning.
        unanswerable: share of the questions to which "unknown" is right.
        clip: largest norm of the gradient.
        floor: share of its error that a learnt task is still drawn with.
        seed: of everything random.
    """

    steps: int = 3_000
    budget: int = 900
    learning_rate: float = field(default=1e-3, metadata={"search": {"low": 0.0002, "high": 0.005, "log": True}})
    warmup: int = field(default=200, metadata={"search": {"low": 20, "high": 400}})
    support_weight: float = field(default=0.5, metadata={"search": {"low": 0.0, "high": 2.0}})
    forget: float = field(default=0.5, metadata={"search": {"low": 0.1, "high": 0.9}})
    unanswerable: float = 0.04
    clip: float = field(default=5.0, metadata={"search": {"low": 0.5, "high": 20.0, "log": True}})
    floor: float = 0.03
    seed: int = 0


@dataclass
class Progress:
    """Running errors of the tasks while training, in [0, 1]."""

    error: dict[int, float]
    step: int = 0
    loss: float = 0.0
    weights: dict[int, float] = field(default_factory=dict)


Report = Callable[[Progress], None]
EVERY = 50
"""Updates between two points of the learning curve."""


def tensors(batch: Batch, device: torch.device) -> tuple[Tensor, ...]:
    """The arrays of a batch as tensors on a device."""
    return tuple(torch.from_numpy(array).to(device) for array in batch)


def forward(model: StoryModel, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits (Q, slots, words) and read weights (Q, hops, heads, N) of a batch, on the model's device."""
    lexicon, device = model.settings.lexicon, next(model.parameters()).device
    asked = batch.meanings[batch.story]
    told = meanings_of(batch.statements, batch.meanings, lexicon)
    statements, questions, story, seen, bound, *_ = tensors(batch, device)
    count, steps = statements.shape[:2]
    words = torch.cat((statements.flatten(0, 1), questions))
    meant = torch.cat(
        (torch.from_numpy(told).flatten(0, 1), torch.from_numpy(meanings_of(batch.questions, asked, lexicon)))
    ).to(device)
    relations, arguments = model.encode(words, meant)
    told_of = count * steps
    rows = model.write(*(part[:told_of].reshape(count, steps, *part.shape[1:]) for part in (relations, arguments)))
    gone = seen.unsqueeze(1) - torch.arange(steps, device=device)
    ages = torch.where(gone > 0, torch.log1p(gone.clamp(min=0).float()), -1.0)
    asked_of = relations[told_of:], arguments[told_of:]
    logits, read = model.ask(
        asked_of, (rows[0][story], rows[1][story]), ages, torch.from_numpy(asked).to(device), bound
    )
    return logits, read


def losses(logits: Tensor, read: Tensor, answers: Tensor, supporting: Tensor) -> tuple[Tensor, Tensor]:
    """Answer loss and support loss of each question (Q,).

    The support loss is -log of the chance that a supporting statement is read by some head in some hop.
    """
    answer = F.cross_entropy(logits.flatten(0, 1), answers.flatten(), reduction="none").view(answers.shape)
    missed = (1.0 - read.flatten(1, 2).clamp(0, 0.9999)).log().sum(1)
    covered = -(1.0 - missed.exp()).clamp(min=1e-6).log()
    support = (covered * supporting).sum(1) / supporting.sum(1).clamp(min=1)
    return answer[:, 0] + 0.5 * answer[:, 1:].sum(1), support


def right(logits: Tensor, answers: Tensor) -> Tensor:
    """Whether all words of an answer are right (Q,)."""
    return (logits.argmax(-1) == answers).all(1)


def draw(
    stories: Mapping[int, Sequence[EncodedStory]],
    weights: Mapping[int, float],
    cost: int,
    generator: np.random.Generator,
) -> list[EncodedStory]:
    """Stories of about ``cost`` in all; tasks share it by their weights."""
    total = sum(weights.values())
    pool: list[EncodedStory] = []
    for task, weight in weights.items():
        left = cost * weight / total
        while left > 0:
            story = stories[task][int(generator.integers(len(stories[task])))]
            spent = len(story.statements) + 2 * len(story.questions)
            if spent > left and generator.random() > left / spent:
                break
            left -= spent
            pool.append(story)
    return pool


class StoryTraining:
    """A training under way: ``advance`` makes one update, and all that decides the next one is held here.

    Attributes:
        model: the network, trained in place on the device where it is.
        progress: running errors and the number of updates so far.
        curve: every ``EVERY`` updates {"step", "loss", "error": {"1": 0.031}}; errors are running ones, in [0, 1].
        generator: of every draw.
        queue: batches drawn and not yet used; the last is next.
        drawn_from: state of ``generator`` before the queue was drawn, so that it can be drawn again.
        optimizer: Adam; its learning rate follows ``learning_rate_factor``.
    """

    def __init__(
        self, model: StoryModel, stories: Mapping[int, Sequence[EncodedStory]], settings: MemoryTraining
    ) -> None:
        torch.manual_seed(settings.seed)
        self.model, self.stories, self.settings = model, stories, settings
        self.generator = np.random.default_rng(settings.seed)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98))
        self.progress = Progress(dict.fromkeys(stories, 1.0))
        self.curve: list[dict[str, Any]] = []
        self.queue: list[list[EncodedStory]] = []
        self.drawn_from: Any = self.generator.bit_generator.state

    @property
    def finished(self) -> bool:
        """Whether all updates are made."""
        return self.progress.step >= self.settings.steps

    def advance(self) -> None:
        """One update.

        Raises:
            FloatingPointError: the loss or the gradient is not finite; the weights are those before the update.
        """
        settings, progress = self.settings, self.progress
        if not self.queue:
            progress.weights = {task: settings.floor + error for task, error in progress.error.items()}
            self.draw_queue()
        batch = collate(
            self.queue.pop(), self.model.settings.lexicon, self.generator, settings.forget, settings.unanswerable
        )
        logits, read = forward(self.model, batch)
        answers, supporting = (torch.from_numpy(part).to(logits.device) for part in (batch.answers, batch.supporting))
        answer, support = losses(logits, read, answers, supporting)
        loss = (answer + settings.support_weight * support).mean()
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            raise FloatingPointError(
                f"update {progress.step}: the loss is {loss.item()}, the norm of its gradient {norm.item()}"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_factor(progress.step, settings)
        self.optimizer.step()
        progress.step += 1
        progress.loss = loss.item()
        follow(progress, batch.tasks, right(logits, answers).cpu().numpy())
        if progress.step % EVERY == 0:
            errors = {str(task): round(error, 4) for task, error in progress.error.items()}
            self.curve.append({"step": progress.step, "loss": round(progress.loss, 4), "error": errors})

    def draw_queue(self) -> None:
        """The next batches, by ``progress.weights``."""
        self.drawn_from = self.generator.bit_generator.state
        pool = draw(self.stories, self.progress.weights, 40 * self.settings.budget, self.generator)
        self.queue = budgeted(pool, self.settings.budget, self.generator)


def train_memory(
    model: StoryModel, stories: Mapping[int, Sequence[EncodedStory]], settings: MemoryTraining, report: Report
) -> Progress:
    """Train on all tasks jointly from beginning to end; ``report`` is called every ``EVERY`` updates."""
    training = StoryTraining(model, stories, settings)
    while not training.finished:
        training.advance()
        if training.progress.step % EVERY == 0:
            report(training.progress)
    return training.progress


def follow(progress: Progress, tasks: np.ndarray, correct: np.ndarray) -> None:
    """Running error of each task, about the last thousand questions."""
    for task in np.unique(tasks):
        mine = tasks == task
        keep = 0.999 ** mine.sum()
        progress.error[int(task)] = keep * progress.error[int(task)] + (1 - keep) * float(1 - correct[mine].mean())


def learning_rate_factor(step: int, settings: MemoryTraining) -> float:
    """Warm-up, then a cosine down to 2 %."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(settings.steps - settings.warmup, 1)
    return float(0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * min(done, 1.0))))


@torch.no_grad()
def evaluate(model: StoryModel, stories: Sequence[EncodedStory], seed: int = 0, budget: int = 4000) -> dict[int, float]:
    """Error of each task, in [0, 1]."""
    generator = np.random.default_rng(seed)
    wrong: dict[int, list[np.ndarray]] = {}
    for group in budgeted(stories, budget, generator):
        batch = collate(group, model.settings.lexicon, generator)
        logits, _ = forward(model, batch)
        missed = ~right(logits, torch.from_numpy(batch.answers).to(logits.device)).cpu().numpy()
        for task in np.unique(batch.tasks):
            wrong.setdefault(int(task), []).append(missed[batch.tasks == task])
    return {task: float(np.concatenate(values).mean()) for task, values in sorted(wrong.items())}
