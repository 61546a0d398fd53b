"""Stories and rules as decisions: which action they want in which state.

A story is replayed through the same fold that runs live conversations, so that what policies learn from is what they
will see. The turns inside a form that go as they should leave no trace in either (Rasa's happy path): the form runs
them, not the stories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bot.rasa.conversation import RasaConversation, apply_event, new_conversation, situation
from bot.rasa.features import entity_features, slot_feature
from bot.rasa.mappings import entity_slots
from bot.rasa.project import ActionStep, LoopStep, RasaDomain, RasaProject, Slot, SlotStep, Story, UserStep
from memory.dialogue import Entity, NLUResult
from memory.events import TrackerEvent, UserUttered
from policies.stories.ensemble import Situation
from policies.stories.rules import Contradiction, Rule, RulePolicy, RuleState
from policies.stories.state import LISTEN, StoryExample

ANYTHING = "..."
"""What went before a rule that may apply anywhere."""

Understood = Callable[[int, UserStep], NLUResult]
"""What is understood at a story's user step of that index."""


@dataclass(slots=True)
class ReplayedAction:
    """One action of a story, about to happen; ``step`` is its index, of action_listen that of the step after it.

    Whoever predicts may set ``hidden`` (only rules know of this turn) and ``interrupted`` before going on.
    """

    situation: Situation
    action: str
    step: int
    conversation: RasaConversation
    hidden: bool = False
    interrupted: bool = False


def replay(domain: RasaDomain, story: Story, understood: Understood | None = None) -> Iterator[ReplayedAction]:
    """Every action of a story in its order, action_listen included, in the state before it.

    ``understood`` stands for the NLU; without it users are understood as the story says.
    """
    state = _started(domain, story)
    spoken = False
    for index, step in enumerate(story.steps):
        match step:
            case UserStep():
                if state.latest_action in (None, ANYTHING):
                    state = _tell(domain, state, "action", name=LISTEN)
                elif state.latest_action != LISTEN or spoken:
                    told = ReplayedAction(situation(state), LISTEN, index, state)
                    yield told
                    state = _done(domain, told)
                nlu = understood(index, step) if understood else as_told(step)
                state = _hear(domain, state, nlu, index)
                spoken = True
            case ActionStep():
                told = ReplayedAction(situation(state), step.name or step.text or "", index, state)
                yield told
                state, spoken = _done(domain, told), False
            case SlotStep() | LoopStep():
                state = _fact(domain, state, step)
    if story.waits and state.latest_action not in (None, LISTEN):
        yield ReplayedAction(situation(state), LISTEN, len(story.steps), state)


def story_examples(project: RasaProject, stories: Iterable[Story]) -> list[StoryExample]:
    """The decisions of stories (or rules, with their condition fulfilled) in their order.

    A history begins with the empty state before the first action_listen, as Rasa's does.
    """
    return [example for story in stories for example in _examples(project.domain, story)]


def _examples(domain: RasaDomain, story: Story) -> list[StoryExample]:
    found: list[StoryExample] = []
    for told in replay(domain, story):
        running = told.conversation.loop_seen
        if running is not None and running[0] == told.action:  # the form goes on by itself
            while found and found[-1].action != told.action:
                found.pop()
            continue
        if told.conversation.latest_action != ANYTHING:
            found.append(StoryExample(tuple(told.situation.full), told.action, story.name))
    return found


def as_told(step: UserStep) -> NLUResult:
    """A message that is understood as the story says."""
    intents = ((step.intent, 1.0),) if step.intent is not None else ()
    entities = tuple(
        Entity(e.entity, "" if e.value is None else e.value, 0, 0, role=e.role, group=e.group) for e in step.entities
    )
    return NLUResult(step.text or "", intents=intents, entities=entities)


def rules_of(domain: RasaDomain, rules: Iterable[Story]) -> list[Rule]:
    """What every rule decides, one entry an action; decisions before which a rule says nothing are left out."""
    return [decision for rule in rules for decision in _decisions(domain, rule)]


def _decisions(domain: RasaDomain, rule: Story) -> Iterator[Rule]:
    told = _RuleTold(domain)
    for fact in rule.condition:
        told.fact(fact)
    states: list[RuleState] = []
    if rule.conversation_start:
        states.append(RuleState(None))
    for step in rule.steps:
        match step:
            case UserStep():
                if told.previous not in (None, LISTEN):
                    yield Rule((*states, told.state()), LISTEN, rule.name, rule.file, rule.line)
                    states.append(told.state())
                told.previous = LISTEN
                told.hear(step)
            case ActionStep():
                action = step.name or step.text or ""
                if told.previous is not None:
                    yield Rule((*states, told.state()), action, rule.name, rule.file, rule.line)
                    states.append(told.state())
                told.previous = action
            case SlotStep() | LoopStep():
                told.fact(step)
    if rule.waits and told.previous not in (None, LISTEN):
        yield Rule((*states, told.state()), LISTEN, rule.name, rule.file, rule.line)


class _RuleTold:
    """What a rule has said so far."""

    def __init__(self, domain: RasaDomain) -> None:
        self.domain = domain
        self.previous: str | None = None
        self.intent: str | None = None
        self.text: str | None = None
        self.entities: tuple[str, ...] = ()
        self.slots: dict[str, str | None] = {}
        self.loop: str | None = None
        self.no_loop = False

    def fact(self, step: SlotStep | LoopStep) -> None:
        if isinstance(step, LoopStep):
            self.loop, self.no_loop = step.name, step.name is None
            return
        slot = self.domain.slots.get(step.name)
        if slot is not None and slot.influence_conversation and slot.type != "any":
            self.slots[step.name] = slot_feature(slot, _value(slot, step))

    def hear(self, step: UserStep) -> None:
        self.intent = step.intent.partition("/")[0] if step.intent else None
        self.text = None if step.intent else step.text
        self.entities = entity_features(self.domain, self.intent, list(step.entities))
        for name, value in entity_slots(self.domain, as_told(step).entities):
            feature = slot_feature(self.domain.slots[name], value)
            if feature is not None:
                self.slots[name] = feature

    def state(self) -> RuleState:
        assert self.previous is not None
        slots = tuple(self.slots.items())
        return RuleState(self.previous, self.intent, self.entities, slots, self.loop, self.no_loop, self.text)


def contradictions(project: RasaProject) -> list[Contradiction]:
    """Where a rule says otherwise than a story or another rule, by file and line; Rasa refuses to train then."""
    stories = [(e, s.file, s.line) for s in project.stories for e in _examples(project.domain, s)]
    policy = RulePolicy(rules_of(project.domain, project.rules), [example for example, _, _ in stories])
    rules = [(e, s.file, s.line) for s in project.rules for e in _examples(project.domain, s)]
    found = policy.contradictions([*stories, *rules])
    return [each for each in found if (each.file, each.line) != (each.rule_file, each.rule_line)]


def _started(domain: RasaDomain, story: Story) -> RasaConversation:
    state = new_conversation(domain, story.name)
    for fact in story.condition:
        state = _fact(domain, state, fact)
    if story.kind == "rule" and not story.conversation_start:
        return _tell(domain, state, "action", name=ANYTHING)
    begins = bool(story.steps) and isinstance(story.steps[0], ActionStep)
    return _tell(domain, state, "action", name=LISTEN) if begins else state


def _fact(domain: RasaDomain, state: RasaConversation, step: SlotStep | LoopStep) -> RasaConversation:
    if isinstance(step, LoopStep):
        return _tell(domain, state, "active_loop", name=step.name)
    return _tell(domain, state, "slot", name=step.name, value=_value(domain.slots.get(step.name), step))


def _value(slot: Slot | None, step: SlotStep) -> Any:
    """The slot's value; where the story names the slot only, any value that says "it is set"."""
    if not step.any_value or slot is None:
        return step.value
    match slot.type:
        case "bool":
            return True
        case "float":
            return slot.maximum
        case "list":
            return ["set"]
        case "categorical":
            return slot.values[0] if slot.values else "set"
        case _:
            return "set"


def _hear(domain: RasaDomain, state: RasaConversation, nlu: NLUResult, index: int) -> RasaConversation:
    state = apply_event(domain, state, UserUttered(0.0, nlu.text, str(index), "test", nlu))
    for name, value in entity_slots(domain, nlu.entities):
        state = _tell(domain, state, "slot", name=name, value=value)
    return state


def _done(domain: RasaDomain, told: ReplayedAction) -> RasaConversation:
    state = told.conversation
    if state.active_loop is not None and state.latest_action == LISTEN and told.action != state.active_loop:
        state = _tell(domain, state, "action_execution_rejected", name=state.active_loop)
    if told.interrupted:
        state = _tell(domain, state, "loop_interrupted", is_interrupted=True)
    return _tell(domain, state, "action", name=told.action, hide_rule_turn=told.hidden)


def _tell(domain: RasaDomain, state: RasaConversation, event: str, **fields: Any) -> RasaConversation:
    return apply_event(domain, state, TrackerEvent(0.0, event, fields))
