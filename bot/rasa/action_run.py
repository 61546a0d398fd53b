"""One action while it runs: the conversation as the action has changed it so far, and the events that say so.

Rasa logs an action before what it did, but runs it first, for it may refuse. So an action runs on a state of its own,
and the engine takes its events over afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.rasa.actions.protocol import ActionResult, Actions, idempotency_key
from bot.rasa.actions.response_server import ResponseServerError
from bot.rasa.conversation import RasaConversation, apply_event
from bot.rasa.project import RasaProject
from bot.rasa.responses import Randomness, bot_response, choose_variant, says_something, spoken
from bot.rasa.tracker import rasa_events, tracker_json
from memory.dialogue import BotResponse
from memory.events import BotUttered, Event, TrackerEvent

log = logging.getLogger("rejoinder.rasa")


class ResponseSource(Protocol):
    """A server that words the responses (``bot.rasa.actions.response_server``)."""

    async def generate(
        self,
        response: str,
        tracker: Mapping[str, Any],
        channel: str,
        arguments: Mapping[str, Any] | None = None,
        response_id: str | None = None,
    ) -> dict[str, Any]:
        """One response in Rasa's JSON; ResponseServerError when there is none."""


@dataclass
class TurnContext:
    """What all actions of a turn share. ``seq`` is the number of the turn's first event, ``step`` counts the calls of
    custom actions."""

    project: RasaProject
    actions: Actions
    rng: Randomness
    channel: str
    now: float
    seq: int
    source: ResponseSource | None = None
    step: int = 0


@dataclass
class ActionRun:
    """Runs inside one action; ``state`` is the conversation with ``events`` applied."""

    turn: TurnContext
    state: RasaConversation
    events: list[Event] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """One more event."""
        self.state = apply_event(self.turn.project.domain, self.state, event)
        self.events.append(event)

    def tell(self, name: str, /, **fields: Any) -> None:
        """One more event of Rasa's tracker."""
        self.add(TrackerEvent(self.turn.now, name, fields))

    def utter(self, reply: BotResponse) -> None:
        """Say it; nothing when it is empty."""
        if says_something(reply):
            self.add(BotUttered(self.turn.now, (reply,)))

    async def say(self, name: str, variables: Mapping[str, Any] | None = None) -> bool:
        """Say the response ``name``; False when the project has none that fits."""
        words = await self._words(name, variables or {})
        if words is not None:
            self.utter(bot_response(words))
        return words is not None

    async def _words(self, name: str, variables: Mapping[str, Any]) -> dict[str, Any] | None:
        domain, turn = self.turn.project.domain, self.turn
        variant = choose_variant(domain, name, self.state.slots, turn.channel, turn.rng)
        if turn.source is not None and (name in domain.responses or name in domain.actions):
            wanted = variant.id if variant else None
            try:
                told = await turn.source.generate(name, self.tracker(), turn.channel, variables, wanted)
            except ResponseServerError as error:  # the domain's own words are better than none
                log.warning("conversation %s: %s", self.state.id, error)
            else:
                return {"metadata": {"utter_action": name}, **told}
        return None if variant is None else spoken(name, variant, {**self.state.slots, **variables})

    def tracker(self) -> dict[str, Any]:
        """The tracker that action servers are sent: the latest events only, however long the conversation is."""
        return tracker_json(self.state, rasa_events(self.state.recent))

    async def custom(self, name: str) -> None:
        """Run a custom action and do what it says.

        Raises:
            ActionRejected: it doesn't want to run here.
            ActionFailed: it could not be run.
        """
        await self.take(await self.call(name))

    async def call(self, name: str, state: RasaConversation | None = None) -> ActionResult:
        """Ask a custom action, in ``state`` if it is given; its result is not applied."""
        turn = self.turn
        turn.step += 1
        asked = self if state is None else ActionRun(turn, state)
        key = idempotency_key(self.state.id, turn.seq, turn.step)
        return await turn.actions.run(name, asked.tracker(), turn.project.domain.raw, self.state.id, key)

    async def take(self, result: ActionResult) -> None:
        """Say an action's responses, then apply its events."""
        for response in result.responses:
            await self._respond(response)
        self.take_events(result.events)

    def take_events(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Apply events in Rasa's JSON."""
        for event in events:
            self.add(event_of(event, self.turn.now))

    async def _respond(self, response: Mapping[str, Any]) -> None:
        name = response.get("response") or response.get("template")
        told = {key: value for key, value in response.items() if value and key not in ("response", "template")}
        words = await self._words(str(name), told) if name else None
        if words is not None:
            buttons = [*(words.get("buttons") or ()), *(told.get("buttons") or ())]
            told = {**words, **told, "buttons": buttons}
        self.utter(bot_response(told))


def event_of(told: Mapping[str, Any], now: float) -> Event:
    """An event that an action returned, in the log's form."""
    timestamp = told.get("timestamp")
    at = now if timestamp is None else float(timestamp)
    if told["event"] == "bot":
        data = told.get("data") or {}
        return BotUttered(at, (bot_response({**data, "text": told.get("text"), "metadata": told.get("metadata")}),))
    fields = {key: value for key, value in told.items() if key not in ("event", "timestamp")}
    return TrackerEvent(at, str(told["event"]), fields)
