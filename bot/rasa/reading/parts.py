"""Pieces of stories between checkpoints, and their joining into linear stories."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Literal

from bot.assistant_yaml import AssistantError, did_you_mean
from bot.rasa.project import SlotStep, Step, Story
from bot.rasa.reading.files import Notes

MAX_VARIANTS = 256
"""Linear stories that one story's `or`s may give; beyond it every branch is used, but not every combination."""
MAX_JOINED = 5000
"""Linear stories that checkpoints may give altogether."""

_AGAIN = ", again"
"""Ends the name of a checkpoint that a cycle comes back to."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A named joint; ``slots`` must have been set so for a story to go on here."""

    name: str
    slots: tuple[SlotStep, ...]
    file: Path
    line: int


Alternatives = tuple[tuple[Step, ...], ...]
"""What one entry of `steps` stands for: the sequences of which any may happen."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a story; without ``starts`` it begins a conversation, without ``ends`` it ends the story."""

    name: str
    file: str
    line: int
    starts: tuple[Checkpoint, ...]
    body: tuple[Alternatives, ...]
    ends: tuple[Checkpoint, ...]


@dataclass(frozen=True, slots=True)
class _Path:
    """A joined beginning of a story."""

    names: tuple[str, ...]
    file: str
    line: int
    steps: tuple[Step, ...]


def variants(body: tuple[Alternatives, ...], name: str, file: str, line: int, notes: Notes) -> list[tuple[Step, ...]]:
    """Every linear way through ``body``; more than MAX_VARIANTS are thinned out to ways that use each branch."""
    if prod(len(alternatives) for alternatives in body) <= MAX_VARIANTS:
        chosen = list(product(*body))
    else:
        longest = max(len(alternatives) for alternatives in body)
        count = min(MAX_VARIANTS, max(longest, 64))
        chosen = [tuple(a[(k * (1 + i)) % len(a) if k >= longest else k % len(a)] for i, a in enumerate(body))
                  for k in range(count)]  # fmt: skip
        what = f"{name!r}: its `or`s give more than {MAX_VARIANTS} stories"
        notes.add(file, line, what, f"{count} are used, each branch in at least one")
    linear = [tuple(step for sequence in way for step in sequence) for way in chosen]
    return list(dict.fromkeys(linear)) if _hashable(linear) else linear


def _hashable(linear: list[tuple[Step, ...]]) -> bool:
    """Whether duplicates can be found: a slot's value in a story may be a list."""
    try:
        return bool(set(linear)) or True
    except TypeError:
        return False


def join_parts(
    parts: Sequence[Part], initial: Mapping[str, Any], kind: Literal["story", "rule", "test"], notes: Notes
) -> tuple[Story, ...]:
    """Linear stories out of parts; AssistantError for more than MAX_JOINED of them."""
    parts = _unrolled(parts, notes)
    order = _ordered(parts)
    arriving: dict[str, list[_Path]] = {}
    finished: dict[int, list[Story]] = {}
    taken_up = {start.name for part in parts for start in part.starts}
    for index in order:
        part = parts[index]
        ways = variants(part.body, part.name, part.file, part.line, notes)
        joined = [_continued(path, part, way) for path in _beginnings(part, arriving, initial, notes) for way in ways]
        for end in part.ends:
            if end.name not in taken_up:
                notes.add(end.file, end.line, f"checkpoint {end.name!r}", "the story ends there: none goes on from it")
            arriving.setdefault(end.name, []).extend(joined)
            if len(arriving[end.name]) > MAX_JOINED:
                problem = f"checkpoints give more than {MAX_JOINED} stories at {end.name!r}"
                raise AssistantError(end.file, end.line, problem, "Write rules or fewer checkpoints instead")
        if not any(end.name in taken_up for end in part.ends):
            finished.setdefault(index, []).extend(
                Story(" / ".join(path.names), kind, path.steps, path.file, path.line) for path in joined
            )
    return tuple(story for index in sorted(finished) for story in finished[index])


def _beginnings(
    part: Part, arriving: Mapping[str, list[_Path]], initial: Mapping[str, Any], notes: Notes
) -> list[_Path]:
    if not part.starts:
        return [_Path((), part.file, part.line, ())]
    found = []
    for start in part.starts:
        if start.name not in arriving:
            remedy = did_you_mean(start.name, arriving)
            notes.add(start.file, start.line, f"no story reaches checkpoint {start.name!r}", f"left out. {remedy}")
        found += [path for path in arriving.get(start.name, ()) if _agrees(path, start, initial)]
    return found


def _agrees(path: _Path, start: Checkpoint, initial: Mapping[str, Any]) -> bool:
    """Whether the slots that ``path`` sets are as the checkpoint asks."""
    slots: dict[str, Any] = {**initial}
    for step in path.steps:
        if isinstance(step, SlotStep):
            slots[step.name] = True if step.any_value else step.value
    return all(
        slots.get(slot.name) is not None if slot.any_value else slots.get(slot.name) == slot.value
        for slot in start.slots
    )


def _continued(path: _Path, part: Part, way: tuple[Step, ...]) -> _Path:
    names = path.names if path.names[-1:] == (part.name,) else (*path.names, part.name)
    return _Path(names, path.file, path.line, (*path.steps, *way))


def _ordered(parts: Sequence[Part]) -> list[int]:
    """Positions of the parts, each after all that lead to it (Kahn 1962)."""
    leading = {
        index: {
            k for k, other in enumerate(parts) for end in other.ends if any(end.name == s.name for s in part.starts)
        }
        for index, part in enumerate(parts)
        if part.starts
    }
    waiting = {index: len(before) for index, before in leading.items()}
    after: dict[int, list[int]] = {}
    for index, before in leading.items():
        for k in before:
            after.setdefault(k, []).append(index)
    ready = deque(index for index in range(len(parts)) if not waiting.get(index))
    order: list[int] = []
    while ready:
        order.append(ready.popleft())
        for index in after.get(order[-1], ()):
            waiting[index] -= 1
            if not waiting[index]:
                ready.append(index)
    return order


def _unrolled(parts: Sequence[Part], notes: Notes) -> list[Part]:
    """Parts without cycles: who comes back to a checkpoint may go on from there once more, to the next checkpoint."""
    back = _coming_back(parts)
    found: list[Part] = []
    for index, part in enumerate(parts):
        for end in part.ends:
            if (index, end.name) in back:
                what = f"story {part.name!r} comes back to its own checkpoint {end.name!r}"
                notes.add(end.file, end.line, what, "told twice, the second time up to the next checkpoint")
        ends = tuple(replace(e, name=e.name + _AGAIN) if (index, e.name) in back else e for e in part.ends)
        again = tuple(
            replace(start, name=start.name + _AGAIN)
            for start in part.starts
            if any(start.name == name for _, name in back)
        )
        cyclic = ends != part.ends or any(_leads_back(parts, index, back))
        found.append(replace(part, ends=ends, starts=part.starts if cyclic else (*part.starts, *again)))
        if cyclic and again:
            found.append(replace(part, starts=again, ends=()))
    return found


def _coming_back(parts: Sequence[Part]) -> set[tuple[int, str]]:
    """Which part's ends close a cycle: depth first, an end that leads to a part that is still being followed."""
    starting: dict[str, list[int]] = {}
    for index, part in enumerate(parts):
        for start in part.starts:
            starting.setdefault(start.name, []).append(index)
    back: set[tuple[int, str]] = set()
    done: set[int] = set()
    for root in sorted(range(len(parts)), key=lambda index: bool(parts[index].starts)):
        following: dict[int, None] = {}
        left = [(root, False)]
        while left:
            index, followed = left.pop()
            if followed:
                following.pop(index, None)
                done.add(index)
                continue
            if index in done or index in following:
                continue
            following[index] = None
            left.append((index, True))
            for end in parts[index].ends:
                for after in starting.get(end.name, ()):
                    if after in following:
                        back.add((index, end.name))
                    elif after not in done:
                        left.append((after, False))
    return back


def _leads_back(parts: Sequence[Part], index: int, back: set[tuple[int, str]]) -> Iterator[bool]:
    """For every part that ``index`` leads to, whether it closes a cycle."""
    seen, left = {index}, [index]
    while left:
        ends = {end.name for end in parts[left.pop()].ends}
        after = {k for k, part in enumerate(parts) if any(start.name in ends for start in part.starts)} - seen
        yield from (k == closing for k in after for closing, _ in back)
        seen |= after
        left += after
