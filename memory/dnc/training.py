"""Training a story memory on many tasks at once: harder tasks are drawn more often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

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
    learning_rate: float = 1e-3
    warmup: int = 200
    support_weight: float = 0.5
    forget: float = 0.5
    unanswerable: float = 0.04
    clip: float = 5.0
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


def tensors(batch: Batch) -> tuple[Tensor, ...]:
    """The arrays of a batch as tensors."""
    return tuple(torch.from_numpy(array) for array in batch)


def forward(model: StoryModel, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits (Q, slots, words) and read weights (Q, hops, heads, N) of a batch."""
    lexicon = model.settings.lexicon
    asked = batch.meanings[batch.story]
    told = meanings_of(batch.statements, batch.meanings, lexicon)
    statements, questions, story, seen, bound, *_ = tensors(batch)
    count, steps = statements.shape[:2]
    words = torch.cat((statements.flatten(0, 1), questions))
    meant = torch.cat(
        (torch.from_numpy(told).flatten(0, 1), torch.from_numpy(meanings_of(batch.questions, asked, lexicon)))
    )
    relations, arguments = model.encode(words, meant)
    told_of = count * steps
    rows = model.write(*(part[:told_of].reshape(count, steps, *part.shape[1:]) for part in (relations, arguments)))
    gone = seen.unsqueeze(1) - torch.arange(steps)
    ages = torch.where(gone > 0, torch.log1p(gone.clamp(min=0).float()), -1.0)
    asked_of = relations[told_of:], arguments[told_of:]
    logits, read = model.ask(asked_of, (rows[0][story], rows[1][story]), ages, torch.from_numpy(asked), bound)
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


def train_memory(
    model: StoryModel, stories: Mapping[int, Sequence[EncodedStory]], settings: MemoryTraining, report: Report
) -> Progress:
    """Train on all tasks jointly; ``report`` is called every 50 steps."""
    torch.manual_seed(settings.seed)
    generator = np.random.default_rng(settings.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, settings))
    progress = Progress(dict.fromkeys(stories, 1.0))
    queue: list[list[EncodedStory]] = []
    while progress.step < settings.steps:
        if not queue:
            progress.weights = {task: settings.floor + error for task, error in progress.error.items()}
            queue = budgeted(
                draw(stories, progress.weights, 40 * settings.budget, generator), settings.budget, generator
            )
        batch = collate(queue.pop(), model.settings.lexicon, generator, settings.forget, settings.unanswerable)
        logits, read = forward(model, batch)
        answers, supporting = torch.from_numpy(batch.answers), torch.from_numpy(batch.supporting)
        answer, support = losses(logits, read, answers, supporting)
        loss = (answer + settings.support_weight * support).mean()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"step {progress.step}: the loss is {loss.item()}: use a smaller learning rate")
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        scheduler.step()
        progress.step += 1
        progress.loss = loss.item()
        follow(progress, batch.tasks, right(logits, answers).numpy())
        if progress.step % 50 == 0:
            report(progress)
    return progress


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
        missed = ~right(logits, torch.from_numpy(batch.answers)).numpy()
        for task in np.unique(batch.tasks):
            wrong.setdefault(int(task), []).append(missed[batch.tasks == task])
    return {task: float(np.concatenate(values).mean()) for task, values in sorted(wrong.items())}
