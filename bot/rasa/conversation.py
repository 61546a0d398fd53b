"""A Rasa conversation as a fold over its events: what Rasa's tracker knows, as one immutable value.

    event ── apply_event ──> RasaConversation ── situation ──> Situation (what the policies see)

Rewinding restores a snapshot instead of replaying, so that a long conversation costs no more than a short one. Beside
the full history there is the one that stories see: turns that only rules know are left out of it (Rasa's
``hide_rule_turn``), so that a story goes on after an interruption as if nothing had been said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bot.rasa.features import initial_slots, slot_feature, user_features
from bot.rasa.parse_data import nlu_from_parse_data
from bot.rasa.project import RasaDomain
from memory.dialogue import NLUResult
from memory.events import BotUttered, Event, TrackerEvent, UserUttered
from policies.stories.ensemble import Situation
from policies.stories.state import LISTEN, StoryState

REQUESTED = "requested_slot"
TWO_STAGE_FALLBACK = "action_two_stage_fallback"
HISTORY = 20
"""States kept for the policies."""
RECENT = 32
"""Events before the present turn that are kept for the action server, however long the conversation is."""
TURN_EVENTS = 200
"""Events of the present turn that are kept for it."""
REWINDS = 12
"""How many user turns can be taken back."""
UNDOS = 3
"""How many actions can be taken back."""


@dataclass(frozen=True, slots=True)
class UserTurn:
    """The latest message as it was understood."""

    nlu: NLUResult
    timestamp: float
    message_id: str | None = None
    channel: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def intent(self) -> str | None:
        """The best intent; of a retrieval intent the part before the slash."""
        return self.nlu.intents[0][0].partition("/")[0] if self.nlu.intents else None


@dataclass(frozen=True, slots=True)
class UserFeatures:
    """What states tell of the latest message."""

    intent: str | None = None
    entities: tuple[str, ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The histories up to an action: ``steps`` in full, ``visible`` without the turns that only rules know."""

    steps: tuple[StoryState, ...] = ()
    visible: tuple[StoryState, ...] = ()
    hidden: bool = False
    """Whether the latest action is left out of ``visible``."""
    visible_action: str | None = None
    """The latest action that stories know of."""
    user: UserFeatures = UserFeatures()


@dataclass(frozen=True, slots=True)
class RasaConversation:
    """The state of one conversation after ``seq`` events.

    ``slots`` holds every slot of the domain. ``extracted`` are the slots that were set since the latest message.
    """

    id: str
    slots: Mapping[str, Any]
    features: Mapping[str, str]
    """The slots that influence the conversation, as ``StoryState.slots`` tells them."""
    seq: int = 0
    started: bool = False
    """Whether a session was started."""
    active_loop: str | None = None
    loop_rejected: bool = False
    loop_interrupted: bool = False
    loop_turns: int = 0
    """User messages since the loop began, the one that began it included."""
    latest: UserTurn | None = None
    latest_action: str | None = None
    rejected_action: str | None = None
    """The action that was rejected and not run since."""
    followup: str | None = None
    paused: bool = False
    extracted: tuple[tuple[str, Any], ...] = ()
    intents: tuple[str | None, ...] = ()
    """The latest three intents."""
    heard_at: float | None = None
    event_at: float = 0.0
    recent: tuple[Event, ...] = ()
    seen: Seen = Seen()
    loop_seen: tuple[str, Seen] | None = None
    """The histories as they were after the first run of the loop that is being repeated, and its name."""
    before_actions: tuple[RasaConversation, ...] = ()
    before_users: tuple[RasaConversation, ...] = ()

    @property
    def requested_slot(self) -> str | None:
        """The slot that a form asks for."""
        return self.slots.get(REQUESTED)


def new_conversation(domain: RasaDomain, conversation_id: str) -> RasaConversation:
    """Before the first event."""
    slots = initial_slots(domain)
    return RasaConversation(conversation_id, slots, _features(domain, slots))


def fold(domain: RasaDomain, conversation_id: str, events: Iterable[Event]) -> RasaConversation:
    """The state after all events, from the beginning."""
    state = new_conversation(domain, conversation_id)
    for event in events:
        state = apply_event(domain, state, event)
    return state


def apply_event(domain: RasaDomain, state: RasaConversation, event: Event) -> RasaConversation:
    """The state after one more event; pure. Events that Rasa's tracker doesn't know change nothing but ``seq``."""
    match event:
        case UserUttered():
            turn = UserTurn(event.nlu, event.timestamp, event.message_id or None, event.channel, event.metadata)
            after = _heard(domain, state, turn)
        case TrackerEvent():
            after = _tracked(domain, state, event)
        case BotUttered():
            after = state
        case _:
            return replace(state, seq=state.seq + 1)
    kept = RECENT if isinstance(event, UserUttered) else RECENT + TURN_EVENTS
    recent = (*state.recent, event)[-kept:]
    return replace(after, seq=state.seq + 1, event_at=event.timestamp, recent=recent)


def situation(state: RasaConversation) -> Situation:
    """What the policies decide from."""
    now = _present(state)
    full = (*state.seen.steps, now)
    visible = (*state.seen.visible, _visible(state, now))
    return Situation(full, visible, state.loop_rejected, state.rejected_action)


def _heard(domain: RasaDomain, state: RasaConversation, turn: UserTurn) -> RasaConversation:
    intent, entities = user_features(domain, turn.nlu)
    text = turn.nlu.text if intent is None else None  # end-to-end stories tell of words, not of intents
    return replace(
        state,
        latest=turn,
        seen=replace(state.seen, user=UserFeatures(intent, entities, text)),
        extracted=(),
        intents=(*state.intents, turn.intent)[-3:],
        loop_turns=state.loop_turns + 1,
        heard_at=turn.timestamp,
        before_users=(*state.before_users, *state.before_actions[-1:])[-REWINDS:],
    )


def _tracked(domain: RasaDomain, state: RasaConversation, event: TrackerEvent) -> RasaConversation:
    fields = event.fields
    match event.name:
        case "action":
            return _acted(domain, state, fields)
        case "slot":
            return _slot_set(domain, state, fields.get("name"), fields.get("value"))
        case "active_loop" | "form":
            return _loop(state, fields.get("name"))
        case "loop_interrupted" | "form_validation":
            interrupted = not fields["validate"] if "validate" in fields else bool(fields.get("is_interrupted"))
            return replace(state, loop_interrupted=interrupted)
        case "action_execution_rejected":
            return _rejected(state, fields.get("name"))
        case "user":
            nlu = nlu_from_parse_data(fields)
            channel, message_id = fields.get("input_channel"), fields.get("message_id")
            return _heard(domain, state, UserTurn(nlu, event.timestamp, message_id, channel))
        case "followup":
            return replace(state, followup=fields.get("name"))
        case "pause" | "resume":
            return replace(state, paused=event.name == "pause")
        case "reset_slots":
            slots = initial_slots(domain)
            return replace(state, slots=slots, features=_features(domain, slots))
        case "session_started" | "restart":
            return _anew(domain, state, "action_session_start" if event.name == "restart" else None)
        case "rewind":
            return _restored(domain, state, state.before_users)
        case "undo":
            return _restored(domain, state, state.before_actions)
        case _:
            return state


def _acted(domain: RasaDomain, state: RasaConversation, fields: Mapping[str, Any]) -> RasaConversation:
    name = fields.get("name") or fields.get("action_text")
    seen, loop_seen = _seen(state, bool(fields.get("hide_rule_turn"))), state.loop_seen
    if loop_seen is not None and loop_seen[0] == name:
        seen = loop_seen[1]  # the loop runs on: what was said inside it is not the stories' business
    elif name in domain.forms or name == TWO_STAGE_FALLBACK:
        loop_seen = (str(name), seen)
    elif state.latest_action == LISTEN:
        loop_seen = None  # something else answered the user: coming back is told by the stories
    return replace(
        state,
        seen=seen,
        loop_seen=loop_seen,
        latest_action=name,
        rejected_action=None,
        followup=None,
        loop_interrupted=False,
        loop_rejected=state.loop_rejected and name != state.active_loop,
        before_actions=(*state.before_actions, _snapshot(state))[-UNDOS:],
    )


def _seen(state: RasaConversation, hide: bool) -> Seen:
    """The histories with the present state added, before an action."""
    now, seen = _present(state), state.seen
    # a follow-up and a loop that has just run keep the decision of the action before
    undecided = state.followup is not None or state.latest_action == state.active_loop
    hidden = seen.hidden if undecided else hide
    return Seen(
        steps=(*seen.steps, now)[-HISTORY:],
        visible=seen.visible if hidden else (*seen.visible, _visible(state, now))[-HISTORY:],
        hidden=hidden,
        visible_action=seen.visible_action if seen.hidden else state.latest_action,
        user=seen.user,
    )


def _present(state: RasaConversation) -> StoryState:
    user = state.seen.user
    return StoryState(
        user.intent, user.entities, user.text, state.latest_action,
        state.features, state.active_loop, state.features.get(REQUESTED),
    )  # fmt: skip


def _visible(state: RasaConversation, now: StoryState) -> StoryState:
    seen = state.seen
    if now.previous_action != LISTEN and seen.visible:
        last = seen.visible[-1]
        if seen.hidden or (last.intent, last.entities) != (now.intent, now.entities):
            now = replace(now, intent=last.intent, entities=last.entities, text=last.text)
    if not seen.hidden or now.previous_action == LISTEN:  # whoever let the bot listen: the user spoke after it
        return now
    return replace(now, previous_action=seen.visible_action)


def _slot_set(domain: RasaDomain, state: RasaConversation, name: Any, value: Any) -> RasaConversation:
    if name not in state.slots:
        return state
    extracted = (*state.extracted, (name, value))
    slots = {**state.slots, name: value}
    feature = slot_feature(domain.slots.get(name), value)
    if state.features.get(name) == feature:
        return replace(state, slots=slots, extracted=extracted)
    features = {key: kept for key, kept in state.features.items() if key != name}
    if feature is not None:
        features[name] = feature
    return replace(state, slots=slots, features=features, extracted=extracted)


def _loop(state: RasaConversation, name: Any) -> RasaConversation:
    turns = state.loop_turns if name == state.active_loop else 1
    seen = None if name is None else state.loop_seen
    changed = replace(state, active_loop=name, loop_rejected=False, loop_interrupted=False)
    return replace(changed, loop_turns=turns, loop_seen=seen)


def _rejected(state: RasaConversation, name: Any) -> RasaConversation:
    rejected = state.loop_rejected or (name is not None and name == state.active_loop)
    loop_seen = None if state.loop_seen and state.loop_seen[0] == name else state.loop_seen
    return replace(state, rejected_action=name, loop_rejected=rejected, loop_seen=loop_seen)


def _anew(domain: RasaDomain, state: RasaConversation, followup: str | None) -> RasaConversation:
    return replace(new_conversation(domain, state.id), started=True, followup=followup, heard_at=state.heard_at)


def _snapshot(state: RasaConversation) -> RasaConversation:
    return replace(state, before_actions=(), before_users=(), recent=())


def _restored(domain: RasaDomain, state: RasaConversation, snapshots: tuple[RasaConversation, ...]) -> RasaConversation:
    """The last snapshot, with the snapshots that are older; a new session where there is none."""
    if not snapshots:
        return _anew(domain, state, None)
    snapshot = snapshots[-1]
    return replace(
        snapshot,
        heard_at=state.heard_at,
        before_actions=tuple(older for older in state.before_actions if older.seq < snapshot.seq),
        before_users=tuple(older for older in state.before_users if older.seq < snapshot.seq),
    )


def _features(domain: RasaDomain, slots: Mapping[str, Any]) -> dict[str, str]:
    told = ((name, slot_feature(domain.slots.get(name), value)) for name, value in slots.items())
    return {name: feature for name, feature in told if feature is not None}
