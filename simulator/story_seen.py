"""What stories see of a conversation: without turns that only rules know, and without what a form went through.

The same as the tracker's of a live conversation, at the level of states: in a simulated dialogue there are no events.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from policies.stories.state import LISTEN, StoryState


@dataclass(frozen=True, slots=True)
class _Seen:
    steps: tuple[StoryState, ...] = ()
    hidden: bool = False
    """Whether the latest action is one that stories don't know."""
    action: str | None = None
    """The latest action that stories know."""


class SeenHistory:
    """The history for policies that know stories alone; ``loops`` are the names of forms and other loops."""

    def __init__(self, loops: Collection[str], begun: tuple[StoryState, ...] = ()) -> None:
        self._loops, self._seen = loops, _Seen(begun)
        self._first_run: tuple[str, _Seen] | None = None

    def states(self, now: StoryState) -> list[StoryState]:
        """The history that ends with ``now``."""
        return [*self._seen.steps, self._present(now)]

    def acted(self, now: StoryState, action: str, *, hidden: bool) -> None:
        """The bot does ``action`` in state ``now``; ``hidden``: by a rule that is in no story."""
        seen = self._seen
        if now.active_loop is not None and now.previous_action == now.active_loop:
            hidden = seen.hidden  # to listen after the loop has asked is part of the turn before
        steps = seen.steps if hidden else (*seen.steps, self._present(now))
        known = seen.action if seen.hidden else now.previous_action
        self._seen = _Seen(steps, hidden, known)
        if self._first_run is not None and self._first_run[0] == action and now.active_loop == action:
            self._seen = self._first_run[1]  # the loop runs on: what was said inside it is no story's business
        elif action in self._loops:
            self._first_run = (action, self._seen)
        elif now.previous_action == LISTEN:
            self._first_run = None  # something else answers: coming back is told by the stories

    def _present(self, now: StoryState) -> StoryState:
        seen = self._seen
        if now.previous_action != LISTEN and seen.steps:
            last = seen.steps[-1]
            if seen.hidden or (last.intent, last.entities) != (now.intent, now.entities):
                now = replace(now, intent=last.intent, entities=last.entities, text=last.text)
        return replace(now, previous_action=seen.action) if seen.hidden else now
