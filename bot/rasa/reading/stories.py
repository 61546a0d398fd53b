"""Stories, rules and test stories: each read step by step, checked against the domain, then written out linearly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bot.assistant_yaml import YamlList, YamlMap, describe
from bot.rasa.project import LoopStep, SlotStep, Step, Story, UserStep
from bot.rasa.reading.files import Notes, relative
from bot.rasa.reading.parts import Checkpoint, Part, join_parts, variants
from bot.rasa.reading.steps import StepReader

Kind = Literal["story", "rule", "test"]
_ELLIPSIS = "..."


@dataclass(frozen=True)
class StoryReader:
    """Reads the `stories:` and `rules:` of files; ``initial`` are the slots' first values."""

    root: Path
    steps: StepReader
    initial: Mapping[str, Any]
    notes: Notes

    def stories(self, files: Sequence[YamlMap], kind: Kind = "story") -> tuple[Story, ...]:
        """All stories, `or`s and checkpoints written out."""
        parts: list[Part] = []
        for file in files:
            for item in self._items(file, "stories"):
                parts += self._parts(item, kind)
        return join_parts(parts, self.initial, kind, self.notes)

    def rules(self, files: Sequence[YamlMap]) -> tuple[Story, ...]:
        """All rules, several where one has an `or`."""
        return tuple(rule for file in files for item in self._items(file, "rules") for rule in self._rule(item))

    def _items(self, file: YamlMap, key: str) -> list[YamlMap]:
        items: list[YamlMap] = file.take(key, "list").maps(key) if file.get(key) is not None else []
        return items

    def _steps(self, item: YamlMap, key: str) -> YamlList:
        item.take(key, "str")
        steps: YamlList = item.take("steps", "list")
        if not steps:
            raise item.error("steps", f"{key} {item[key]!r} has no steps", "Add `- intent:` and `- action:` lines")
        return steps

    def _parts(self, item: YamlMap, kind: Kind) -> list[Part]:
        """One part per piece between checkpoints."""
        item.only(("story", "steps", "metadata"))
        steps = self._steps(item, "story")
        name, where = str(item["story"]), relative(self.root, item.file)
        parts: list[Part] = []
        starts: list[Checkpoint] = []
        ends: list[Checkpoint] = []
        body: list[tuple[tuple[Step, ...], ...]] = []
        for index, step in enumerate(steps):
            if isinstance(step, YamlMap) and "checkpoint" in step:
                (ends if body else starts).append(self._checkpoint(step))
                continue
            if ends:
                parts.append(Part(name, where, item.line, tuple(starts), tuple(body), tuple(ends)))
                starts, ends, body = ends, [], []
            body.append(self._alternatives(steps, index))
        if not body and not (starts and parts):
            raise item.error("steps", f"story {name!r} has checkpoints only", "Add steps between them")
        parts.append(Part(name, where, item.line, tuple(starts), tuple(body), tuple(ends)))
        return parts

    def _checkpoint(self, step: YamlMap) -> Checkpoint:
        step.only(("checkpoint", "slot_was_set"))
        slots = self.steps.slots_of(step) if "slot_was_set" in step else ()
        return Checkpoint(step.take("checkpoint", "str"), slots, step.file, step.lines["checkpoint"])

    def _alternatives(self, steps: YamlList, index: int) -> tuple[tuple[Step, ...], ...]:
        """The steps that one entry stands for: one sequence, or several for an `or`."""
        step = steps[index]
        if not isinstance(step, YamlMap):
            remedy = "`...` may only begin a rule" if step == _ELLIPSIS else "Write `- intent: ...` or `- action: ...`"
            raise steps.error(index, f"a step is {describe(step)}", remedy)
        if "or" not in step:
            return (self.steps.read(step),)
        step.only(("or",))
        branches = step.take("or", "list").maps("branches of `or`")
        if not branches:
            raise step.error("or", "an `or` without branches", "Add `- intent: ...` lines below it")
        return tuple(self.steps.read(branch) for branch in branches)

    def _rule(self, item: YamlMap) -> list[Story]:
        item.only(("rule", "steps", "condition", "conversation_start", "wait_for_user_input", "metadata"))
        steps = self._steps(item, "rule")
        name = str(item["rule"])
        body: list[tuple[tuple[Step, ...], ...]] = []
        waits = _flag(item, "wait_for_user_input", default=True)
        for index, step in enumerate(steps):
            snippet = step == _ELLIPSIS or (isinstance(step, YamlMap) and step.get("action") == _ELLIPSIS)
            if snippet and index == 0:
                continue
            if snippet and index == len(steps) - 1:
                waits = False
                continue
            if isinstance(step, YamlMap) and "checkpoint" in step:
                raise step.error("checkpoint", f"rule {name!r} has a checkpoint", "Use stories for checkpoints")
            body.append(self._alternatives(steps, index))
        first = [step for alternatives in body for step in alternatives[0]]
        anywhere = bool(first) and not isinstance(_leading(first), UserStep)
        return [
            Story(
                name,
                "rule",
                linear,
                relative(self.root, item.file),
                item.line,
                condition=self._condition(item),
                conversation_start=_flag(item, "conversation_start", default=False),
                starts_anywhere=anywhere,
                waits=waits,
            )
            for linear in variants(tuple(body), name, relative(self.root, item.file), item.line, self.notes)
        ]

    def _condition(self, item: YamlMap) -> tuple[SlotStep | LoopStep, ...]:
        if item.get("condition") is None:
            return ()
        found: list[SlotStep | LoopStep] = []
        for entry in item.take("condition", "list").maps("conditions"):
            entry.only(("active_loop", "slot_was_set"))
            found.extend(step for step in self.steps.read(entry) if isinstance(step, SlotStep | LoopStep))
        return tuple(found)


def _leading(steps: Sequence[Step]) -> Step:
    """The first thing that happens: what slots and loops a rule names first are its conditions."""
    return next((step for step in steps if not isinstance(step, SlotStep | LoopStep)), steps[0])


def _flag(item: YamlMap, key: str, *, default: bool) -> bool:
    value = item.get(key, default)
    if not isinstance(value, bool):
        raise item.error(key, f"{key!r} is {describe(value)}", "Write true or false")
    return value
