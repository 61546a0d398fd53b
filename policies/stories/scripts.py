"""Stories and rules as scripts: which action follows which state, and what training makes of them.

Gluing stories one after another and forgetting how a conversation began are the two augmentations of Rasa's
training (its factor bounds the first); both say that what is right now seldom depends on all that was before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from policies.stories.state import LISTEN, StoryExample, StoryState


@dataclass(frozen=True, slots=True)
class Script:
    """A linear story or rule: before ``actions[t]`` the conversation is in ``states[t]``.

    ``condition`` names the slots that a rule asks for before its first step; of a rule ``states[0].active_loop`` is a
    condition as well. ``initial`` are the features of slots with an initial value, ``prefix`` the states before.
    ``anywhere``: its beginning may come at any time, not only where a conversation starts.
    """

    name: str
    states: tuple[StoryState, ...]
    actions: tuple[str, ...]
    rule: bool = False
    condition: tuple[str, ...] = ()
    initial: tuple[tuple[str, str], ...] = ()
    prefix: tuple[StoryState, ...] = ()
    anywhere: bool = True

    def __post_init__(self) -> None:
        if len(self.states) != len(self.actions):
            raise ValueError(f"{self.name}: {len(self.states)} states for {len(self.actions)} actions")

    @classmethod
    def of(
        cls,
        examples: Sequence[StoryExample],
        *,
        rule: bool = False,
        condition: Sequence[str] = (),
        initial: Sequence[tuple[str, str]] = (),
        anywhere: bool = True,
    ) -> Script:
        """The script of one story's examples in their order; ValueError when there is none."""
        if not examples:
            raise ValueError("a script needs examples: this story has no action")
        states = tuple(example.history[-1] for example in examples)
        actions = tuple(example.action for example in examples)
        prefix = () if rule else examples[0].history[:-1]  # before a rule there may be anything
        return cls(examples[0].story, states, actions, rule, tuple(condition), tuple(initial), prefix, anywhere)

    @property
    def first_turn(self) -> int | None:
        """Where the user first speaks; None in a script without a user."""
        return next((t for t in range(len(self.states)) if self.user_speaks(t)), None)

    @property
    def opens(self) -> bool:
        """Whether the user may begin it at any time."""
        return self.anywhere and self.first_turn == 0

    def user_speaks(self, t: int) -> bool:
        """Whether the user spoke just before ``actions[t]``."""
        state = self.states[t]
        spoke = state.intent is not None or state.text is not None
        return spoke and state.previous_action in (LISTEN, None)

    def examples(self, max_history: int) -> Iterator[StoryExample]:
        """What a policy that sees ``max_history`` states should do."""
        for t, action in enumerate(self.actions):
            yield StoryExample((*self.prefix, *self.states[: t + 1])[-max_history:], action, self.name)


def openings(scripts: Sequence[Script]) -> frozenset[str]:
    """Intents that begin a story or rule outside of loops: users may say them at any time."""
    return frozenset(
        script.states[0].intent or "" for script in scripts if script.opens and script.states[0].active_loop is None
    )


def glued(scripts: Sequence[Script], max_history: int, factor: int, rng: np.random.Generator) -> list[StoryExample]:
    """Examples of stories that are told after others: at most ``factor`` predecessors for each story.

    Only stories that end outside of any loop are predecessors; what they left in slots stays.
    """
    stories = [script for script in scripts if not script.rule and script.first_turn is not None]
    before = [script for script in stories if script.states[-1].active_loop is None]
    found: list[StoryExample] = []
    for script in stories:
        order = rng.permutation(len(before))[:factor]
        for index in order:
            found += _told_after(script, before[int(index)], max_history)
    return found


def _told_after(script: Script, earlier: Script, max_history: int) -> list[StoryExample]:
    left = {**dict(earlier.states[-1].slots)}
    start = script.first_turn or 0
    told = [*earlier.states]
    examples = []
    for t in range(start, len(script.states)):
        state = script.states[t]
        state = replace(state, slots={**left, **state.slots}, previous_action=state.previous_action or LISTEN)
        told.append(state)
        examples.append(StoryExample(tuple(told[-max_history:]), script.actions[t], script.name))
        if len(examples) >= max_history:  # from here on nothing of the earlier story is seen
            break
    return examples
