"""One turn: UserMessage -> NLUResult -> BeliefState -> Decision -> BotResponse, each step an event.

    message ── understand ──> UserUttered ── decide ──> Decided ── say ──> BotUttered

The engine keeps nothing between turns: the conversation comes in, events go out. All randomness of a turn comes
from (seed, conversation id, sequence number), so that the same turn gives the same reply when it runs again.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import numpy as np

from bot.assistant import Assistant
from bot.booking import booked, checked
from bot.nlg.realise import Realiser
from bot.recall import Recall
from bot.selection import Selection, TurnChoices, grounding, preferred_venue
from bot.shortcuts import parse_shortcut
from memory.conversation import Conversation, Turn, fold
from memory.dialogue import BotResponse, Decision, NLUResult, ScoredAct, SystemAct, UserMessage
from memory.events import Booked, BotUttered, Decided, Event, HandedOff, UserUttered
from memory.turn import system_act
from policies.actions import ActionSpace
from policies.policy import Policy
from policies.social import SocialDecision, SocialPolicy
from policies.stack import decider

Understand = Callable[[str, SystemAct | None], Awaitable[NLUResult]]
"""Text and the preceding system act -> what was said."""

SURE = 0.5
"""Above this probability of a question to the task, the task answers what the memory took without a cue."""


class Engine:
    """Turns messages into events for one assistant.

    ``policy`` may be replaced by another at any time, from any thread: a turn keeps the one it began with. ``space``
    is by default the assistant's action space with the default thresholds. ``recall`` keeps the user's statements and
    answers from them; without it every sentence is the task's. ``selection`` chooses among venues and wordings
    (default: the table's order, any wording); it too may be replaced at any time.
    """

    def __init__(
        self,
        assistant: Assistant,
        understand: Understand,
        policy: Policy,
        social: SocialPolicy,
        seed: int = 7,
        space: ActionSpace | None = None,
        recall: Recall | None = None,
        selection: Selection | None = None,
    ) -> None:
        self.assistant = assistant
        self.ontology = assistant.ontology
        self.understand = understand
        self.policy = policy
        self.social = social
        self.space = space or ActionSpace(assistant.ontology)
        self.realiser = Realiser(assistant)
        self.seed = seed
        self.recall = recall
        self.selection = selection or Selection(assistant.ontology)

    def fold(self, conversation_id: str, events: Sequence[Event]) -> Conversation:
        """The state after all events, from the beginning."""
        return fold(self.ontology, conversation_id, events)

    async def respond(self, state: Conversation, message: UserMessage) -> Turn:
        """One turn: its events in order and the state after them; nothing is stored."""
        clock = _Stopwatch()
        rng, policy = turn_rng(self.seed, state.id, state.seq), self.policy  # one version throughout the turn
        early = self.selection.turn(state, rng)
        recalled = await asyncio.to_thread(self.recall.hear, state, message, rng, early) if self.recall else None
        if recalled and recalled.shared and await self._task_answers(state, replace(message, text=recalled.doubtful)):
            recalled = recalled.shared
        clock.lap("memory")
        if recalled and not recalled.rest:
            early.slates.extend(recalled.slates)
            resumed = self.realiser.pending_question(state, rng, early.wording)
            selected = early.event(message.timestamp)
            return recalled.turn(self.ontology, state, message, resumed, clock.laps, selected)
        task = replace(message, text=recalled.rest) if recalled else message
        nlu = reinterpreted(await self._nlu(state, task), venue_known=bool(state.belief.venue[0] >= 0))
        clock.lap("nlu")
        heard = UserUttered(message.timestamp, message.text, message.message_id or "", message.channel, nlu)
        noted, answers = (recalled.events, recalled.replies) if recalled else ((), ())
        before, turn = state, Turn.begin(state).then(self.ontology, heard, *noted)
        state = turn.state
        clock.lap("track")
        social, choices = self.social.decide(state, nlu), self.selection.turn(state, rng)
        decision, system = self._decide(policy, social, message.timestamp, choices, rng)
        clock.lap("policy")
        effects = self._effects(decision, system, state, message.timestamp, rng)
        replies = self._say(social, system, choices, nlu, effects, rng)
        clock.lap("nlg")
        decided = Decided(message.timestamp, decision, system, clock.laps)
        choices.slates[:0] = recalled.slates if recalled else ()
        selected = choices.event(message.timestamp)
        said = BotUttered(message.timestamp, (*answers, *replies))
        if decision.action == "restart":  # forgets what was told before; what the same message told was "noted"
            self.forget(state)
            return Turn.begin(before).then(self.ontology, heard, decided, *noted, *effects, *selected, said)
        return turn.then(self.ontology, decided, *effects, *selected, said)

    def forget(self, state: Conversation) -> None:
        """Keep nothing that was derived from a conversation that is no more."""
        if self.recall is not None and self.recall.memory is not None:
            self.recall.memory.forget(state.remembered)

    async def _nlu(self, state: Conversation, message: UserMessage) -> NLUResult:
        shortcut = parse_shortcut(message.text, self.ontology)
        if shortcut is not None:
            return shortcut
        previous = system_act(self.ontology, state.belief.last)
        return await self.understand(message.text, previous if previous.kind != "none" else None)

    async def _task_answers(self, state: Conversation, message: UserMessage) -> bool:
        """Whether a message that the memory took for itself is a question that the task can answer."""
        nlu = await self._nlu(state, message)
        return any(scored.act.type in ("faq", "request") and scored.confidence > SURE for scored in nlu.acts)

    def _decide(
        self,
        policy: Policy,
        social: SocialDecision | None,
        timestamp: float,
        choices: TurnChoices,
        rng: np.random.Generator,
    ) -> tuple[Decision, SystemAct | None]:
        state = choices.state
        if social is not None:
            system = SystemAct("bye") if social.action == "bye" else None
            return Decision(social.action, self.social.name), system
        masks = self.space.masks(state.belief)
        output = policy.act(state.belief, masks, rng)
        who, version = decider(policy, output)
        decision = Decision(
            action=self.space.names[int(output.actions[0])],
            policy=who,
            version=version,
            values=tuple(float(value) for value in output.values[0]),
            mask=tuple(bool(allowed) for allowed in masks[0]),
            propensity=float(output.propensity[0]),
        )
        eligible = self.realiser.preferences.eligible(state.preferences)
        score = preferred_venue(choices, self.space, decision.action, eligible)
        belief = grounding(self.ontology, state, decision.action)
        act = system_act(self.ontology, self.space.ground(belief, output.actions, score, eligible))
        return decision, checked(self.assistant, act, state, timestamp)

    def _effects(
        self, decision: Decision, system: SystemAct | None, state: Conversation, now: float, rng: np.random.Generator
    ) -> list[Booked | HandedOff]:
        if decision.action == "handoff":
            return [HandedOff(now, "the user asked for a person")]
        if system is not None and system.kind == "booked":
            return [booked(self.assistant, system, state, now, rng)]
        return []

    def _say(
        self,
        social: SocialDecision | None,
        system: SystemAct | None,
        choices: TurnChoices,
        nlu: NLUResult,
        effects: list[Booked | HandedOff],
        rng: np.random.Generator,
    ) -> list[BotResponse]:
        state, choose = choices.state, choices.wording
        if social is not None:
            return self.realiser.social(social, state, rng, choose)
        assert system is not None
        reference = next((e.reference for e in effects if isinstance(e, Booked)), "")
        replies = self.realiser.task(system, state, nlu, rng, reference, choose)
        if self.social.upset(state, nlu):
            replies = [self.realiser.preface(state, rng, choose), *replies]
        return replies


def turn_rng(seed: int, conversation_id: str, seq: int) -> np.random.Generator:
    """The generator of one turn."""
    digest = hashlib.sha256(f"{seed}\0{seq}\0{conversation_id}".encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def reinterpreted(nlu: NLUResult, *, venue_known: bool) -> NLUResult:
    """Before any venue is known, "do you have thai food?" is a wish: confirm becomes inform."""
    if venue_known:
        return nlu
    acts = tuple(
        ScoredAct(replace(s.act, type="inform"), s.confidence) if s.act.type == "confirm" else s for s in nlu.acts
    )
    return replace(nlu, acts=acts)


class _Stopwatch:
    """Milliseconds per stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = round((now - self._last) * 1000, 3)
        self._last = now
