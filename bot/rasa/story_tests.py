"""A project's test stories, told step by step: what would the bot have understood and done (`rasa test`'s semantics)?

Every action, action_listen included, is predicted from the conversation as the story tells it: after a wrong
prediction the story's own action happens, and custom actions are not run. A form that is predicted where the story does
something else counts as having rejected the message, and there is a second prediction. A story is correct when all its
actions are, and all messages with a text are understood as it says, intent and entities.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bot.rasa.project import ActionStep, LoopStep, RasaProject, SlotStep, Step, Story, UserStep
from bot.rasa.reading.names import base_intent
from bot.rasa.story_states import ReplayedAction, replay
from memory.dialogue import NLUResult
from policies.stories.ensemble import Choice, StoryEnsemble

Parse = Callable[[str], NLUResult]
"""The project's NLU."""
KNOWN = ("RulePolicy", "MemoizationPolicy", "AugmentedMemoizationPolicy")
"""Policies that only say what is in the training data."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A prediction that differs; ``step`` counts the story's steps from 1, that of a missing action_listen is the
    step after it."""

    step: int
    kind: Literal["action", "intent", "entities"]
    expected: str
    predicted: str


@dataclass(frozen=True, slots=True)
class StoryResult:
    """One story's predictions: how many ``actions``, which were ``wrong``."""

    story: Story
    actions: int
    wrong: tuple[Wrong, ...]
    messages: int = 0
    known: int = 0
    """Actions that rules or memory predicted."""
    entities: Counter[str] = field(default_factory=Counter)
    """How many entities were ``right``, ``missed`` and ``invented``."""

    @property
    def correct(self) -> bool:
        """Whether everything was as the story says."""
        return not self.wrong

    def count(self, kind: str) -> int:
        """Wrong predictions of one kind."""
        return sum(found.kind == kind for found in self.wrong)


def try_story(project: RasaProject, story: Story, ensemble: StoryEnsemble, parse: Parse | None) -> StoryResult:
    """Tell one story; without ``parse`` texts are taken to be understood."""
    wrong: list[Wrong] = []
    messages, entities = 0, Counter[str]()
    for index, step in enumerate(story.steps):
        if isinstance(step, UserStep) and step.text is not None and parse is not None:
            messages += 1
            wrong += _misunderstood(index + 1, step, parse(step.text), entities)
    actions = known = 0
    for told in replay(project.domain, story):
        choice = _predict(ensemble, told)
        actions += 1
        known += choice.policy in KNOWN
        if choice.action != told.action:
            wrong.append(Wrong(told.step + 1, "action", told.action, choice.action))
    wrong.sort(key=lambda found: found.step)
    return StoryResult(story, actions, tuple(wrong), messages, known, entities)


def _predict(ensemble: StoryEnsemble, told: ReplayedAction) -> Choice:
    choice = ensemble.choose(told.situation)
    if choice.action != told.action and choice.action == told.situation.full[-1].active_loop:
        choice = ensemble.choose(told.situation.rejected())
    if choice.action == told.action:
        told.hidden, told.interrupted = choice.hidden, choice.interrupted
    return choice


def _misunderstood(number: int, step: UserStep, heard: NLUResult, counted: Counter[str]) -> Iterator[Wrong]:
    """What the NLU made differently of a message."""
    intent = heard.intents[0][0] if heard.intents else "none"
    expected = step.intent or "none"
    if expected != (intent if "/" in expected else base_intent(intent)):
        yield Wrong(number, "intent", expected, intent)
    said = Counter((e.entity, str(e.value), e.role, e.group) for e in step.entities)
    found = Counter((e.name, str(e.value), e.role, e.group) for e in heard.entities)
    counted["right"] += (said & found).total()
    counted["missed"] += (said - found).total()
    counted["invented"] += (found - said).total()
    if said != found:
        yield Wrong(number, "entities", _listed(said), _listed(found))


def _listed(entities: Counter[tuple[str, str, str | None, str | None]]) -> str:
    shown = (
        f"{name}{f'#{role}' if role else ''}{f'##{group}' if group else ''}={value}"
        for name, value, role, group in sorted(entities.elements(), key=str)
    )
    return ", ".join(shown) or "none"


def summary(tested: Sequence[StoryResult]) -> dict[str, Any]:
    """The report of `rejoinder test`: counts, shares (None where there was nothing to predict) and what failed."""
    actions = sum(story.actions for story in tested)
    right = actions - sum(story.count("action") for story in tested)
    messages = sum(story.messages for story in tested)
    entities: Counter[str] = sum((story.entities for story in tested), Counter())
    correct = sum(story.correct for story in tested)
    return {
        "stories": len(tested),
        "stories_correct": correct,
        "conversation_accuracy": _share(correct, len(tested)),
        "actions": actions,
        "actions_correct": right,
        "action_accuracy": _share(right, actions),
        "in_training_data_fraction": _share(sum(story.known for story in tested), actions),
        "messages": messages,
        "intent_accuracy": _share(messages - sum(story.count("intent") for story in tested), messages),
        "entity_precision": _share(entities["right"], entities["right"] + entities["invented"]),
        "entity_recall": _share(entities["right"], entities["right"] + entities["missed"]),
        "entity_f1": _share(2 * entities["right"], 2 * entities["right"] + entities["missed"] + entities["invented"]),
        "failed": [_failure(story) for story in tested if not story.correct],
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _failure(tested: StoryResult) -> dict[str, Any]:
    """A story with its first wrong prediction, and all of them."""
    first = asdict(tested.wrong[0])
    where = {"story": tested.story.name, "file": tested.story.file, "line": tested.story.line}
    return {**where, **first, "wrong": [asdict(found) for found in tested.wrong]}


def failed_stories_yaml(tested: Sequence[StoryResult]) -> str:
    """The stories that failed as YAML, with what was predicted as comments, as Rasa writes failed_test_stories.yml."""
    failed = [story for story in tested if not story.correct]
    if not failed:
        return "# None of the test stories failed - all good!\n"
    lines = ['version: "3.1"', "stories:"]
    for found in failed:
        lines.append(f"- story: {json.dumps(f'{found.story.name} ({found.story.file})', ensure_ascii=False)}")
        lines.append("  steps:")
        steps: list[Step | None] = [*found.story.steps, None]
        for number, step in enumerate(steps, start=1):
            wrong = [w for w in found.wrong if w.step == number]
            early = [w for w in wrong if w.expected == "action_listen" and not isinstance(step, ActionStep)]
            lines += [f"  - action: action_listen  # predicted: {_comment(w.predicted)}" for w in early]
            if step is not None:
                lines += _step(step, [w for w in wrong if w not in early])
    return "\n".join(lines) + "\n"


def _step(step: Step, wrong: Sequence[Wrong]) -> Iterator[str]:
    noted = "; ".join(f"{'' if w.kind != 'entities' else 'entities '}{_comment(w.predicted)}" for w in wrong)
    comment = f"  # predicted: {noted}" if noted else ""

    def scalar(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, default=str)

    match step:
        case UserStep():
            if step.text is not None:
                yield f"  - user: {scalar(step.text)}"
                yield f"    intent: {scalar(step.intent)}{comment}"
            else:
                yield f"  - intent: {scalar(step.intent)}{comment}"
            if step.entities:
                yield "    entities:"
            for entity in step.entities:
                yield f"    - {scalar(entity.entity)}: {scalar(entity.value)}"
                for key in ("role", "group"):
                    if getattr(entity, key):
                        yield f"      {key}: {scalar(getattr(entity, key))}"
        case ActionStep():
            kind = "action" if step.name is not None else "bot"
            yield f"  - {kind}: {scalar(step.name or step.text)}{comment}"
        case SlotStep():
            yield "  - slot_was_set:"
            yield f"    - {scalar(step.name)}" + ("" if step.any_value else f": {scalar(step.value)}")
        case LoopStep():
            yield f"  - active_loop: {scalar(step.name)}"


def _comment(text: str) -> str:
    return " ".join(text.split())
