"""One dialogue of a fitted user with a bot that acts step by step, at the level of story states."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from policies.stories.rules import RulePolicy, left_loop
from policies.stories.state import LISTEN, StoryExample, StoryState
from simulator.story_seen import SeenHistory
from simulator.story_user import Position, StoryUsers

MAX_ACTIONS = 10
"""Actions of the bot in one turn, after which the user speaks anyway (Rasa's MAX_NUMBER_OF_PREDICTIONS)."""


@dataclass(frozen=True, slots=True)
class StorySettings:
    """Rewards and the user's manner.

    ``digressing`` scales the fitted probabilities of leaving the goal. A user hangs up after ``patience`` wrong
    actions. ``success`` is earned at the goal's end, ``turn`` with everything that the user says, ``wrong`` with an
    action that the story does not have in this place.
    """

    digressing: float = 1.0
    patience: int = 3
    success: float = 20.0
    turn: float = -1.0
    wrong: float = -5.0


class StoryDialogue:
    """The user speaks when the bot listens, goes on while it answers as their story does, else says it again.

    ``history`` ends with the state in which the bot is to act. ``rules`` decide where they are not silent; the caller
    acts in all other places, and sees ``seen``. ``over`` and ``success`` tell the end.
    """

    def __init__(
        self, users: StoryUsers, settings: StorySettings, rng: np.random.Generator, rules: RulePolicy | None = None
    ) -> None:
        self.users, self.settings, self.rng, self.rules = users, settings, rng, rules
        self.history: list[StoryState] = []
        self.over = self.success = self.digressed = False
        self.turns = self.wrong = self._done = self._repeated = 0
        self._goal = self._at = users.goal(rng)
        self._aside = False
        script = users.scripts[self._goal.script]
        self.history += (*script.prefix, *script.states[: self._goal.t])
        self._seen = SeenHistory(users.loops, tuple(self.history))
        self._now = self._before = users.before(self._goal)
        self._said = self._goal
        self.reward = 0.0
        self._say(self._goal)
        self._let_rules_act()

    @property
    def seen(self) -> list[StoryState]:
        """The history as stories see it."""
        return self._seen.states(self.history[-1])

    @property
    def expected(self) -> str:
        """What the story does now."""
        return self.users.scripts[self._at.script].actions[self._at.t]

    def act(self, action: str) -> float:
        """The bot does ``action``; the reward, also of what the user and rules do then. ValueError when it is over."""
        if self.over:
            raise ValueError("the dialogue is over: begin another one")
        self.reward = 0.0
        self._do(action, excused=False)
        self._let_rules_act()
        return self.reward

    def _let_rules_act(self) -> None:
        while self.rules is not None and not self.over:
            here = StoryExample(tuple(self.history), self.expected)
            found = self.rules.decide(here.history, loop_rejected=left_loop(here))
            if found.action is None:
                return
            self._do(found.action, excused=True, hidden=found.source not in self.rules.in_stories)

    def _do(self, action: str, *, excused: bool, hidden: bool = False) -> None:
        self._done += 1
        self._seen.acted(self.history[-1], action, hidden=hidden)
        if action == self.expected:
            self._go_on()
            return
        if not excused:
            self.reward += self.settings.wrong
            self.wrong += 1
            if self.wrong >= self.settings.patience:
                self.over = True
                return
        if action == LISTEN or self._done >= MAX_ACTIONS:
            self._again(excused)
        else:
            self._push(action)

    def _go_on(self) -> None:
        """The bot did what the story does."""
        at, script = self._at, self.users.scripts[self._at.script]
        following = Position(at.script, at.t + 1)
        end = self.users.end_of_digression(script) if self._aside else len(script.actions)
        if following.t == end:
            self._finished()
        elif script.actions[at.t] == LISTEN and script.user_speaks(following.t):
            self._speak(following)
        else:
            self._change(following)
            self._at = following
            self._push(script.actions[at.t])

    def _finished(self) -> None:
        """The goal is reached, or the digression is over and the user comes back to the goal."""
        if self._aside:
            self._aside = False
            self._say(self._goal)
        else:
            self.over = self.success = True
            self.reward += self.settings.success

    def _speak(self, planned: Position) -> None:
        """The next turn of the goal, or something else."""
        if self._aside:
            self._say(planned)
            return
        self._goal = planned
        said = self.users.turn(planned, self._now, self.settings.digressing, self.rng)
        if said != planned:
            self.digressed = True
            if said.t == self.users.scripts[said.script].first_turn:
                self._aside = True
            else:
                self._goal = said
        self._say(said)

    def _again(self, excused: bool) -> None:
        """The user was not understood and repeats the last turn; after rules nobody is to blame."""
        if excused and self._repeated >= 1:  # rules that contradict the story: it can't be played
            self.over = True
            return
        self._repeated += 1
        self._now = self._before
        self._hear(self._said)

    def _say(self, position: Position) -> None:
        self._repeated = 0
        self._before = self._now
        self._said = position
        self._hear(position)

    def _hear(self, position: Position) -> None:
        """A state in which the user has just said the turn at ``position``."""
        self._change(position)
        self._at = position
        self._done = 0
        self.turns += 1
        self.reward += self.settings.turn
        heard = self.users.state(position)
        self.history.append(
            replace(self._now, intent=heard.intent, entities=heard.entities, text=heard.text, previous_action=LISTEN)
        )

    def _push(self, action: str) -> None:
        """A state after ``action``."""
        self._now = replace(self._now, previous_action=action)
        heard = self.users.state(self._said)
        spoken = (heard.intent, heard.entities, heard.text) if self.users.keeps_user else (None, (), None)
        self.history.append(replace(self._now, intent=spoken[0], entities=spoken[1], text=spoken[2]))

    def _change(self, position: Position) -> None:
        """What changes in slots and loop with the step at ``position`` of its script changes here as well."""
        before, after = self.users.before(position), self.users.state(position)
        slots = dict(self._now.slots)
        for name in before.slots.keys() | after.slots.keys():
            if before.slots.get(name) != after.slots.get(name):
                slots.pop(name, None)
                if name in after.slots:
                    slots[name] = after.slots[name]
        loop, asked = self._now.active_loop, self._now.requested_slot
        if before.active_loop != after.active_loop:
            loop = after.active_loop
        if before.requested_slot != after.requested_slot:
            asked = after.requested_slot
        self._now = replace(self._now, slots=slots, active_loop=loop, requested_slot=asked)
