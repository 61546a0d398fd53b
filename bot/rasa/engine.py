"""One turn of a Rasa project: the message understood, slots filled, and actions until the bot listens again.

    message ── understand ──> UserUttered ── slots ──> [ choose ── run ──> action, bot, slot, ... ]* ── action_listen

The engine keeps nothing between turns: the conversation comes in, events go out. All randomness of a turn comes from
(seed, conversation id, sequence number), so that the same turn gives the same reply when it runs again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from bot.engine import turn_rng
from bot.errors import CommandError
from bot.rasa.action_run import ActionRun, ResponseSource, TurnContext
from bot.rasa.actions.protocol import ActionFailed, ActionRejected, Actions, NoActions
from bot.rasa.conversation import RasaConversation, apply_event, fold, situation
from bot.rasa.default_actions import DEFAULT_ACTIONS, SESSION_START, listen_again
from bot.rasa.features import SESSION_METADATA
from bot.rasa.forms import REJECTED, is_rejected, run_form
from bot.rasa.mappings import custom_mappings, extracted_slots
from bot.rasa.project import ActionStep, RasaProject, UserStep
from bot.rasa.story_policies import story_ensemble
from bot.rasa.tracker import ACTION_FAILED
from memory.dialogue import BotResponse, NLUResult, UserMessage
from memory.events import Event, TrackerEvent, UserUttered
from policies.stories.ensemble import Choice
from policies.stories.state import LISTEN, StoryPolicy

log = logging.getLogger("rejoinder.rasa")

MAX_PREDICTIONS = 10
"""Actions after one message, unless the environment's MAX_NUMBER_OF_PREDICTIONS (Rasa's variable) says another number:
a story that never listens must end somewhere."""

ACTION_FAILED_RESPONSE = "utter_action_failed"
APOLOGY = "Sorry, I can't do that at the moment. Please try again in a little while."
"""Said when a custom action could not be run and the project has no `utter_action_failed`."""

VALIDATE_SLOTS = "action_validate_slot_mappings"
EXTRACT_SLOTS = "action_extract_slots"

Understand = Callable[[str], Awaitable[NLUResult]]


@dataclass(frozen=True, slots=True)
class RasaTurn:
    """Events that happen together, and the conversation after them."""

    events: tuple[Event, ...]
    state: RasaConversation


class RasaEngine:
    """Turns messages into events for one project.

    Args:
        project: what to say and do.
        understand: the NLU, message shortcuts (`/greet`) included.
        policy: decides where neither rules nor memorised stories do; None: nobody does.
        actions: runs the project's own actions.
        seed: of the choice among response variants.
        source: words the responses in the domain's place.
    """

    def __init__(
        self,
        project: RasaProject,
        understand: Understand,
        policy: StoryPolicy | None = None,
        actions: Actions | None = None,
        seed: int = 7,
        source: ResponseSource | None = None,
    ) -> None:
        self.project = project
        self.domain = project.domain
        self.understand = understand
        self.actions = actions or NoActions()
        self.seed = seed
        self.source = source
        self.max_predictions = _max_predictions(os.environ.get("MAX_NUMBER_OF_PREDICTIONS"))
        self.policies = story_ensemble(project, policy)
        steps = [step for story in (*project.stories, *project.rules) for step in story.steps]
        told = (step.text for step in steps if isinstance(step, UserStep) and step.intent is None and step.text)
        self._heard_words = {_folded(text): text for text in told}
        said = {step.text for step in steps if isinstance(step, ActionStep) and step.name is None and step.text}
        self._said_words = frozenset(self.domain.e2e_actions) | said

    def fold(self, conversation_id: str, events: Iterable[Event]) -> RasaConversation:
        """The state after all events."""
        return fold(self.domain, conversation_id, events)

    def told(self, state: RasaConversation, events: Sequence[Event]) -> RasaTurn:
        """The same conversation with more events, whoever they come from."""
        for event in events:
            state = apply_event(self.domain, state, event)
        return RasaTurn(tuple(events), state)

    def predict(self, state: RasaConversation) -> Choice:
        """The next action; a follow-up that an action asked for comes before all policies."""
        if state.followup is not None and self.knows(state.followup):
            return Choice(state.followup, 1.0, "", scores={state.followup: 1.0})
        return self.policies.choose(situation(state))

    def knows(self, action: str) -> bool:
        """Whether there is an action of this name."""
        domain = self.domain
        own = action in domain.actions or action in domain.forms or action in self._said_words
        return own or action in domain.responses or action in DEFAULT_ACTIONS or action == EXTRACT_SLOTS

    async def respond(self, state: RasaConversation, message: UserMessage) -> RasaTurn:
        """One turn: its events in order and the state after them; nothing is stored."""
        run = self._begin(state, message.channel, message.timestamp)
        if _new_session(state, message.timestamp, self.domain.session_minutes):
            await self._do(run, Choice(SESSION_START, 1.0, ""))
            if message.metadata and state.seq == 0:
                run.tell("slot", name=SESSION_METADATA, value=message.metadata)
        elif run.state.latest_action != LISTEN:  # events from outside: the bot was not listening, but now it is
            listen_again(run)
        nlu = await self.understand(message.text)
        words = self._heard_words.get(_folded(message.text))
        if words is not None:  # a story tells of exactly these words: they count, not the intent
            nlu = replace(nlu, text=words, intents=())
        message_id, metadata = message.message_id or "", dict(message.metadata)
        run.add(UserUttered(message.timestamp, message.text, message_id, message.channel, nlu, metadata))
        if run.state.loop_rejected and self.policies.loop_waits(situation(run.state)):
            run.tell("active_loop", name=run.state.active_loop)  # the question in between is over: it reads again
        await self._extract_slots(run)
        heard = run.state.latest
        if not run.state.paused or (heard is not None and heard.intent == "restart"):
            await self._act(run)
        return RasaTurn(tuple(run.events), run.state)

    async def execute(
        self,
        state: RasaConversation,
        action: str,
        now: float,
        policy: str | None = None,
        confidence: float | None = None,
        channel: str = "rest",
    ) -> RasaTurn:
        """Run one action, whatever the policies say; LookupError when there is none of this name."""
        if not self.knows(action):
            raise LookupError(f"the domain has no action {action!r}")
        run = self._begin(state, channel, now)
        await self._do(run, Choice(action, 1.0 if confidence is None else confidence, policy or ""))
        return RasaTurn(tuple(run.events), run.state)

    def _begin(self, state: RasaConversation, channel: str, now: float) -> ActionRun:
        rng = cache(lambda: turn_rng(self.seed, state.id, state.seq))
        return ActionRun(TurnContext(self.project, self.actions, rng, channel, now, state.seq, self.source), state)

    async def _act(self, run: ActionRun) -> None:
        """Actions until the bot listens."""
        for _ in range(self.max_predictions):
            choice = self.predict(run.state)
            before = len(run.events)
            if not await self._do(run, choice):
                break
            if choice.action in (LISTEN, SESSION_START):
                return
            last = run.events[-1] if len(run.events) > before else None
            if isinstance(last, TrackerEvent) and last.name == "rewind":
                break  # back to before the bot listened: so it does
        else:
            what = "conversation %s: %d actions without listening; MAX_NUMBER_OF_PREDICTIONS allows more"
            log.warning(what, run.state.id, self.max_predictions)
        listen_again(run)

    async def _do(self, run: ActionRun, choice: Choice) -> bool:
        """Run one action and take its events over; False when it failed and the turn should end."""
        if choice.interrupted and run.state.active_loop is not None:
            run.tell("loop_interrupted", is_interrupted=True)
        inner, failure = ActionRun(run.turn, run.state), None
        try:
            await self._run(inner, choice.action)
        except ActionRejected as rejection:
            run.tell(REJECTED, name=rejection.action, policy=choice.policy or None, confidence=choice.confidence)
            return True
        except ActionFailed as error:
            failure = error
        if not is_rejected(inner.events):
            hidden = {"hide_rule_turn": True} if choice.hidden else {}
            policy = choice.policy or None
            run.tell("action", name=choice.action, policy=policy, confidence=choice.confidence, **hidden)
        for event in inner.events:
            run.add(event)
        if failure is not None:
            _record(run, failure)
            if not await run.say(ACTION_FAILED_RESPONSE):
                run.utter(BotResponse(APOLOGY))
        return failure is None

    async def _run(self, run: ActionRun, action: str) -> None:
        domain = self.domain
        own = action in domain.actions and action not in domain.responses
        if action in DEFAULT_ACTIONS and not own:
            await DEFAULT_ACTIONS[action](run)
        elif action in domain.forms:
            await run_form(run, domain.forms[action])
        elif action in domain.responses:
            await run.say(action)
        elif action.startswith("utter_"):
            await self._say_retrieved(run, action)
        elif action in self._said_words:
            run.utter(BotResponse(action))
        elif action == EXTRACT_SLOTS:
            await self._extract_slots(run)
        else:
            await run.custom(action)

    async def _say_retrieved(self, run: ActionRun, action: str) -> None:
        """Of a retrieval intent's responses the one that the message asked for."""
        intents = run.state.latest.nlu.intents if run.state.latest else ()
        prefix = action.removeprefix("utter_") + "/"
        topic = next((name for name, _ in intents if name.startswith(prefix)), None)
        if topic is None:
            await run.say(next((name for name in self.domain.responses if name.startswith("utter_" + prefix)), action))
        else:
            await run.say("utter_" + topic)

    async def _extract_slots(self, run: ActionRun) -> None:
        """Fill slots from the latest message, then let the project's own actions add to it and correct it."""
        filled = extracted_slots(self.domain, run.state)
        for name, value in filled:
            run.tell("slot", name=name, value=value)
        validated = [VALIDATE_SLOTS] if VALIDATE_SLOTS in self.domain.actions else []
        mappings = [name for name in custom_mappings(self.domain, run.state) if name != VALIDATE_SLOTS]
        for action in (*mappings, *validated):
            try:
                await run.custom(action)
            except ActionRejected:
                continue
            except ActionFailed as error:  # the conversation goes on with what the mappings gave
                _record(run, error)


def _max_predictions(given: str | None) -> int:
    if given is None:
        return MAX_PREDICTIONS
    if not given.strip().isdecimal() or int(given) < 1:
        raise CommandError(f"MAX_NUMBER_OF_PREDICTIONS is {given!r}: give a whole number from 1, or unset it")
    return int(given)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _record(run: ActionRun, error: ActionFailed) -> None:
    log.warning("conversation %s: %s", run.state.id, error)
    run.tell(ACTION_FAILED, name=error.action, kind=error.kind, reason=error.reason)


def _new_session(state: RasaConversation, now: float, minutes: float) -> bool:
    if not state.started:
        return not state.recent
    return minutes > 0 and state.heard_at is not None and now - state.heard_at > minutes * 60
