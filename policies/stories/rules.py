"""Rules: short pieces of conversation that always go the same way (Rasa's RulePolicy).

A rule is told as partial states: what a state doesn't mention may be anything. A rule applies when its states match
the last states of the conversation; of several the longest wins, then the one that says most. Before all rules come
the default actions (`/restart`, `/back`, `/session_start`) and the loop that runs: a form is run on every message
until it rejects one. When a rule has answered inside a form the form asks again, unless a rule or story says otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policies.stories.state import LISTEN, History, StoryExample, StoryState

DEFAULT_ACTIONS = {
    "restart": "action_restart",
    "back": "action_back",
    "session_start": "action_session_start",
}
"""Intents that Rasa answers by itself."""


@dataclass(frozen=True, slots=True)
class RuleState:
    """What a rule says of one state. A slot whose feature is None must not be set."""

    previous_action: str | None
    """None: the beginning of the conversation."""
    intent: str | None = None
    entities: tuple[str, ...] = ()
    slots: tuple[tuple[str, str | None], ...] = ()
    active_loop: str | None = None
    no_loop: bool = False
    """Whether no loop may be active."""
    text: str | None = None
    """The user's words, where the rule tells of words and not of an intent."""

    def matches(self, state: StoryState) -> bool:
        """Whether the state is as the rule says."""
        if self.previous_action != state.previous_action:
            return False
        if self.previous_action is None:
            return True  # both begin a conversation; nothing else is there to compare
        if self.intent is not None and self.intent != state.intent:
            return False
        if self.text is not None and self.text != state.text:
            return False
        if self.entities and self.entities != state.entities:
            return False
        if self.no_loop if state.active_loop is not None else self.active_loop is not None:
            return False
        if self.active_loop is not None and self.active_loop != state.active_loop:
            return False
        return all(state.slots.get(name) == feature for name, feature in self.slots)

    @property
    def says(self) -> int:
        """How many things it demands."""
        loop = self.no_loop or self.active_loop is not None
        return 1 + (self.intent is not None or self.text is not None) + len(self.entities) + len(self.slots) + loop


@dataclass(frozen=True, slots=True)
class Rule:
    """In these states (oldest first, at least one) the bot does ``action``."""

    states: tuple[RuleState, ...]
    action: str
    name: str = ""
    file: str = ""
    line: int = 0

    def applies(self, history: History) -> bool:
        """Whether the last states of the history are the rule's."""
        if len(self.states) > len(history):
            return False
        return all(mine.matches(state) for mine, state in zip(reversed(self.states), reversed(history), strict=False))

    @property
    def weight(self) -> tuple[int, int]:
        """Of several rules that apply the heaviest wins."""
        return len(self.states), sum(state.says for state in self.states)


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """What the rules say; ``source`` tells which one did, ``interrupted`` that a loop must not read this message."""

    action: str | None
    source: object = None
    interrupted: bool = False


class RulePolicy:
    """Decides by rules alone.

    Args:
        rules: the rules' decisions (``bot.rasa.story_states.rules_of``).
        stories: the stories' decisions; those inside a loop say how to leave and re-enter it.
    """

    name = "RulePolicy"

    def __init__(self, rules: Iterable[Rule], stories: Iterable[StoryExample] = ()) -> None:
        self.rules = tuple(rules)
        stories = tuple(stories)
        self._index: dict[tuple[str | None, str | None], list[Rule]] = defaultdict(list)
        for rule in sorted(self.rules, key=lambda rule: rule.weight, reverse=True):
            self._index[rule.states[-1].previous_action, rule.states[-1].intent].append(rule)
        told = [(rule.states, rule.action) for rule in self.rules]
        told += [(_partial(example.history[-2:]), example.action) for example in stories]
        unhappy = [_unhappy(states, action) for states, action in told]
        self._unhappy = tuple(dict.fromkeys(rule for rule in unhappy if rule is not None))
        self.in_stories = frozenset(self.source(example) for example in stories)
        """The sources that decide somewhere in a story as the story does."""

    def source(self, example: StoryExample) -> object:
        """Which rule decides as the example does; None when none does."""
        choice = self.decide(example.history, loop_rejected=left_loop(example))
        return choice.source if choice.action == example.action else None

    def decide(self, history: History, *, loop_rejected: bool = False) -> RuleChoice:
        """What the rules do after this history; an empty choice when none applies."""
        now = history[-1]
        if now.previous_action == LISTEN and now.intent in DEFAULT_ACTIONS:
            return RuleChoice(DEFAULT_ACTIONS[now.intent], now.intent)
        loop = now.active_loop
        if loop is not None and not loop_rejected:
            return RuleChoice(LISTEN if now.previous_action == loop else loop, loop)
        rule = self._heaviest(history)
        if loop is None:
            return RuleChoice(rule.action, rule) if rule else RuleChoice(None)
        unhappy = {found.action for found in self._unhappy if found.applies(history)}
        if rule and rule.action == LISTEN and rule.states[-1].active_loop is None and _LEAVE not in unhappy:
            return RuleChoice(loop, rule)  # the rule answered a question in between: the loop asks again
        return RuleChoice(rule.action if rule else None, rule, interrupted=_SKIP in unhappy)

    def without(self, action: str, history: History) -> RuleChoice:
        """The heaviest rule that says something else than ``action``, which was rejected."""
        rule = self._heaviest(history, rejected=action)
        return RuleChoice(rule.action, rule) if rule else RuleChoice(None)

    def _heaviest(self, history: History, rejected: str | None = None) -> Rule | None:
        """Of the rules that apply the one that says most, the first of equals."""
        now = history[-1]
        intents = {now.intent: None, None: None}
        listed = (self._index.get((now.previous_action, intent), ()) for intent in intents)
        found = [next((r for r in rules if r.action != rejected and r.applies(history)), None) for rules in listed]
        return max((rule for rule in found if rule is not None), key=lambda rule: rule.weight, default=None)

    def contradictions(self, examples: Iterable[tuple[StoryExample, str, int]]) -> list[Contradiction]:
        """Where rules say otherwise than an example of that file and line does."""
        found: dict[Contradiction, None] = {}
        for example, file, line in examples:
            choice = self.decide(example.history, loop_rejected=left_loop(example))
            if choice.action is not None and choice.action != example.action and isinstance(choice.source, Rule):
                rule = choice.source
                found[Contradiction(example.story, file, line, example.action, rule.name, rule.file, rule.line)] = None
        return list(found)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A story (or rule) does ``action`` where the rule of that name does something else."""

    story: str
    file: str
    line: int
    action: str
    rule: str
    rule_file: str
    rule_line: int

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}: '{self.story}' does {self.action} where the rule '{self.rule}' "
            f"({self.rule_file}:{self.rule_line}) does something else: change one of them"
        )


_SKIP = "the loop doesn't read this message"
_LEAVE = "the loop isn't run again"


def left_loop(example: StoryExample) -> bool:
    """Whether the loop must have rejected the message: the story does something else while the loop is active."""
    now = example.history[-1]
    if now.active_loop is None or now.previous_action == now.active_loop:
        return False
    return now.previous_action != LISTEN or example.action != now.active_loop


def _unhappy(states: Sequence[RuleState], action: str) -> Rule | None:
    """What a decision inside a loop says about running the loop; None when it says nothing."""
    now = states[-1]
    if now.active_loop is None:
        return None
    listened = now.previous_action == LISTEN
    if listened == (action != now.active_loop):
        return None
    before = states[-2].previous_action if len(states) > 1 else None
    context = (RuleState(before),) if before is not None else ()
    return Rule((*context, now), _SKIP if listened else _LEAVE)


def _partial(history: History) -> tuple[RuleState, ...]:
    return tuple(
        RuleState(s.previous_action, s.intent, s.entities, tuple(s.slots.items()), s.active_loop, text=s.text)
        for s in history
    )
