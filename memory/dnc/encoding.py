"""Stories as arrays: statements, questions, answers and what supports them, ready to be put in batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from memory.dnc.babi import Question, Story
from memory.dnc.words import END_INDEX, UNKNOWN_INDEX, Lexicon, Names

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class EncodedStory:
    """One story, its names numbered in the order of their first mention.

    Attributes:
        statements: (T, L) indices.
        questions: (Q, L) indices.
        seen: (Q,) statements before each question.
        names: (Q,) things named up to each question.
        answers: (Q, slots) indices.
        supporting: (Q, T) whether a statement supports the answer.
        meanings: (identities,) the lexicon's index of a meaningful name, else 0.
    """

    task: int
    statements: Indices
    questions: Indices
    seen: Indices
    names: Indices
    answers: Indices
    supporting: NDArray[np.bool_]
    meanings: Indices


class Batch(NamedTuple):
    """B stories with Q questions in all: arrays as in ``EncodedStory``; ``meanings`` is (B, identities), ``bound``
    (Q, identities) says which names were mentioned, ``story`` (Q,) whose a question is."""

    statements: Indices
    questions: Indices
    story: Indices
    seen: Indices
    bound: NDArray[np.bool_]
    answers: Indices
    supporting: NDArray[np.bool_]
    meanings: Indices
    tasks: Indices


def encode(story: Story, lexicon: Lexicon, identities: int, length: int, slots: int) -> EncodedStory:
    """Turn a story into arrays; sentences are cut to ``length`` words."""
    names = Names(lexicon, identities)
    statements: list[list[int]] = []
    questions: list[tuple[list[int], int, int, list[int], tuple[int, ...]]] = []
    for line in story.lines:
        if isinstance(line, Question):
            asked = names.encode(line.text, length)
            answer = names.encode_answer(line.answer, slots)
            questions.append((asked, len(statements), names.count, answer, line.supporting))
        else:
            statements.append(names.encode(line, length))
    supporting = np.zeros((len(questions), max(len(statements), 1)), dtype=np.bool_)
    for row, question in enumerate(questions):
        supporting[row, list(question[4])] = True
    return EncodedStory(
        story.task, padded(statements, length), padded([q[0] for q in questions], length),
        np.array([q[1] for q in questions]), np.array([q[2] for q in questions]),
        np.array([q[3] for q in questions]).reshape(-1, slots), supporting, np.array(names.meanings()),
    )  # fmt: skip


def padded(sentences: Sequence[Sequence[int]], length: int) -> Indices:
    """Sentences as rows of equal length, 0 where there is no word; at least one row."""
    rows = np.zeros((max(len(sentences), 1), length), dtype=np.int64)
    for row, sentence in enumerate(sentences):
        rows[row, : len(sentence)] = sentence
    return rows


def collate(
    stories: Sequence[EncodedStory],
    lexicon: int,
    generator: np.random.Generator,
    forget: float = 0.0,
    unanswerable: float = 0.0,
) -> Batch:
    """Put stories side by side and bind their names to identities drawn anew.

    Args:
        forget: share of the stories in which meaningful names lose their meaning (task 20 keeps it: it asks for it).
        unanswerable: share of the questions that are asked before anything was said, or of somebody never named, so
            that the right answer is "unknown".
    """
    identities = len(stories[0].meanings)
    steps = max(len(story.statements) for story in stories)
    count = sum(len(story.questions) for story in stories)
    length = stories[0].statements.shape[1]
    statements = np.zeros((len(stories), steps, length), dtype=np.int64)
    supporting = np.zeros((count, steps), dtype=np.bool_)
    bound = np.zeros((count, identities), dtype=np.bool_)
    meanings = np.zeros((len(stories), identities), dtype=np.int64)
    questions, answers, unseen = [], [], []
    first = 0
    for row, story in enumerate(stories):
        identity = generator.permutation(identities)
        table = np.concatenate([np.arange(lexicon), lexicon + identity])
        statements[row, : len(story.statements)] = table[story.statements]
        asked = slice(first, first + len(story.questions))
        supporting[asked, : story.supporting.shape[1]] = story.supporting
        bound[asked, identity] = np.arange(identities) < story.names[:, None]
        if story.task == 20 or generator.random() >= forget:
            meanings[row, identity] = story.meanings
        questions.append(table[story.questions])
        answers.append(table[story.answers])
        if unanswerable:
            mask = generator.random(len(story.questions)) < unanswerable
            strangers = identity[story.names.max() :]
            for each in np.flatnonzero(mask):
                untold(questions[-1][each], answers[-1][each], bound[first + each], strangers, lexicon, generator)
            supporting[asked][mask] = False
            unseen.append(mask)
        first = asked.stop
    owner = np.repeat(np.arange(len(stories)), [len(story.questions) for story in stories])
    tasks = np.array([story.task for story in stories])[owner]
    seen = np.concatenate([story.seen for story in stories])
    if unseen:
        nothing_said = np.concatenate(unseen) & (generator.random(count) < 0.5)
        seen = np.where(nothing_said, 0, seen)
    return Batch(
        statements, np.concatenate(questions), owner, seen, bound, np.concatenate(answers), supporting, meanings, tasks
    )


def untold(
    question: Indices,
    answer: Indices,
    bound: NDArray[np.bool_],
    strangers: Indices,
    lexicon: int,
    generator: np.random.Generator,
) -> None:
    """Make a question one about somebody who was never named, its answer "unknown"."""
    answer[0], answer[1:] = UNKNOWN_INDEX, END_INDEX
    named = question[question >= lexicon]
    if len(named) and len(strangers):
        stranger = strangers[generator.integers(len(strangers))]
        question[question == named[generator.integers(len(named))]] = lexicon + stranger
        bound[stranger] = True


def meanings_of(indices: Indices, meanings: Indices, lexicon: int) -> Indices:
    """The lexicon's index of a meaningful name for every word of (..., L) sentences; ``meanings`` is (..., I)."""
    numbers = np.maximum(indices - lexicon, 0)
    found = np.take_along_axis(meanings, numbers.reshape(*meanings.shape[:-1], -1), axis=-1).reshape(indices.shape)
    return np.where(indices >= lexicon, found, 0)


def budgeted(pool: Iterable[EncodedStory], budget: int, generator: np.random.Generator) -> list[list[EncodedStory]]:
    """Batches of stories of like length whose statements and questions cost about ``budget``, in random order."""
    batches: list[list[EncodedStory]] = []
    current: list[EncodedStory] = []
    spent = 0
    for story in sorted(pool, key=lambda each: (len(each.statements), generator.random())):
        cost = len(story.statements) + 2 * len(story.questions)
        if current and spent + cost > budget:
            batches.append(current)
            current, spent = [], 0
        current.append(story)
        spent += cost
    batches.append(current)
    return [batches[index] for index in generator.permutation(len(batches))]
