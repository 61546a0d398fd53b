"""The fold of a Rasa conversation and the tracker that it shows."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.rasa.conversation import RasaConversation, apply_event, fold, new_conversation, situation
from bot.rasa.reading.loading import load_project
from bot.rasa.tracker import applied_events, current_state, rasa_events
from memory.dialogue import BotResponse, Entity, NLUResult
from memory.events import BotUttered, Event, FeedbackGiven, TrackerEvent, UserUttered, event_from_json, event_to_json
from tests.bot.rasa.projects import PIZZA

DOMAIN = load_project(PIZZA).domain


def heard(intent: str, **entities: str) -> UserUttered:
    found = tuple(Entity(name, value, 0, 1) for name, value in entities.items())
    return UserUttered(
        2.0, f"/{intent}", "m", "rest", NLUResult(f"/{intent}", intents=((intent, 1.0),), entities=found)
    )


def told(name: str, **fields: Any) -> TrackerEvent:
    return TrackerEvent(3.0, name, fields)


def acted(name: str, *, hide: bool = False) -> TrackerEvent:
    fields = {"name": name, "policy": None, "confidence": 1.0, "hide_rule_turn": hide}
    return TrackerEvent(3.0, "action", fields)


def slot(name: str, value: Any) -> TrackerEvent:
    return TrackerEvent(3.0, "slot", {"name": name, "value": value})


def loop(name: str | None) -> TrackerEvent:
    return TrackerEvent(3.0, "active_loop", {"name": name})


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from(["greet", "order_pizza", "inform", "stop"]).map(heard),
    st.tuples(
        st.sampled_from(["action_listen", "pizza_form", "utter_greet", "action_two_stage_fallback"]), st.booleans()
    ).map(lambda pair: acted(pair[0], hide=pair[1])),
    st.tuples(
        st.sampled_from(["topping", "size", "vegetarian", "address", "requested_slot", "no_such_slot"]),
        st.one_of(st.none(), st.text(max_size=3), st.booleans(), st.integers()),
    ).map(lambda pair: slot(*pair)),
    st.sampled_from([None, "pizza_form", "action_two_stage_fallback"]).map(loop),
    st.sampled_from(["rewind", "undo", "restart", "session_started", "pause", "resume", "reset_slots", "agent"]).map(
        told
    ),
    st.sampled_from(["pizza_form", "utter_greet"]).map(
        lambda name: TrackerEvent(3.0, "action_execution_rejected", {"name": name})
    ),
    st.just(BotUttered(2.5, (BotResponse("hi"),))),
    st.just(FeedbackGiven(2.5, "m", 1)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=25))
def test_any_history_can_be_folded_stored_and_shown(events: list[Event]) -> None:
    state = fold(DOMAIN, "c", events)
    assert state.seq == len(events)
    assert state == fold(DOMAIN, "c", [event_from_json(event_to_json(event)) for event in events])
    seen = situation(state)
    assert seen.full[-1].slots == seen.visible[-1].slots == state.features
    for include in ("ALL", "APPLIED", "AFTER_RESTART", "NONE"):
        tracker = current_state(DOMAIN, "c", events, include)
        json.dumps(tracker, allow_nan=False)
        assert tracker["slots"] == state.slots
        assert (tracker["events"] is None) == (include == "NONE")


def believed(state: RasaConversation) -> tuple[object, ...]:
    return (
        state.slots, state.active_loop, state.loop_rejected, state.latest, state.latest_action, state.seen,
        state.loop_seen, state.paused, state.intents,
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=12), st.lists(EVENTS.filter(lambda e: not isinstance(e, UserUttered)), max_size=8))
def test_rewinding_takes_back_the_user_turn_and_nothing_else(before: list[Event], turn: list[Event]) -> None:
    left = ("rewind", "undo", "restart", "session_started")
    turn = [e for e in turn if not (isinstance(e, TrackerEvent) and e.name in left)]
    state = fold(DOMAIN, "c", before)
    after = state
    for event in (acted("action_listen"), heard("greet"), *turn, told("rewind")):
        after = apply_event(DOMAIN, after, event)
    assert believed(after) == believed(state)
    assert after.seq == len(before) + len(turn) + 3


@given(st.lists(EVENTS, max_size=20))
@settings(max_examples=100, deadline=None)
def test_applied_events_fold_to_what_all_events_do(events: list[Event]) -> None:
    start = [TrackerEvent(1.0, "session_started", {}), acted("action_listen")]
    kept = [e for e in events if not (isinstance(e, TrackerEvent) and e.name in ("undo", "rewind"))]
    tracker = current_state(DOMAIN, "c", [*start, *kept], "APPLIED")
    again = fold(DOMAIN, "c", applied_events([*start, *kept]))
    assert tracker["slots"] == again.slots
    assert (tracker["active_loop"] or {}).get("name") == again.active_loop


def test_a_form_that_runs_as_it_should_leaves_no_trace_in_what_policies_see() -> None:
    state = new_conversation(DOMAIN, "c")
    begun = (acted("action_listen"), heard("order_pizza"), acted("pizza_form"), loop("pizza_form"))
    rounds = (acted("action_listen"), heard("inform", size="large"), slot("size", "large"), acted("pizza_form"))
    for event in (*begun, *rounds, *rounds, loop(None)):
        state = apply_event(DOMAIN, state, event)
    assert [s.previous_action for s in situation(state).full] == [None, "action_listen", "pizza_form"]
    now = situation(state).full[-1]
    assert (now.intent, now.slots["size"], now.active_loop) == ("order_pizza", "large", None)


def test_a_form_that_was_interrupted_leaves_its_trace() -> None:
    state = new_conversation(DOMAIN, "c")
    begun = (acted("action_listen"), heard("order_pizza"), acted("pizza_form"), loop("pizza_form"))
    aside = (
        acted("action_listen"),
        heard("stop"),
        acted("utter_ask_continue"),
        acted("action_listen"),
        heard("affirm"),
    )
    for event in (*begun, *aside, acted("pizza_form")):
        state = apply_event(DOMAIN, state, event)
    listen, form = "action_listen", "pizza_form"
    told = [s.previous_action for s in situation(state).full]
    assert told == [None, listen, form, listen, "utter_ask_continue", listen, form]


def test_a_hidden_form_stays_hidden_while_it_listens() -> None:
    state = new_conversation(DOMAIN, "c")
    for event in (acted("action_listen"), heard("order_pizza"), acted("pizza_form", hide=True), loop("pizza_form")):
        state = apply_event(DOMAIN, state, event)
    listening = apply_event(DOMAIN, state, acted("action_listen", hide=False))
    assert listening.seen.hidden
    assert len(situation(listening).visible) == 2


def test_turns_that_only_rules_know_are_not_visible_to_stories() -> None:
    state = new_conversation(DOMAIN, "c")
    story = (acted("action_listen"), heard("greet"), acted("utter_greet"), acted("action_listen"))
    aside = (heard("thank"), acted("utter_thank", hide=True), acted("action_listen", hide=True))
    for event in (*story, *aside, heard("deny")):
        state = apply_event(DOMAIN, state, event)
    straight = new_conversation(DOMAIN, "c")
    for event in (*story, heard("deny")):
        straight = apply_event(DOMAIN, straight, event)
    assert situation(state).visible == situation(straight).visible
    assert situation(state).full != situation(straight).full


def test_the_tracker_has_rasas_shape() -> None:
    events: list[Event] = [
        acted("action_session_start"), told("session_started"), acted("action_listen"), heard("inform", size="large"),
        slot("size", "large"), acted("pizza_form"), loop("pizza_form"),
        BotUttered(4.0, (BotResponse("Hi", image="i.png", parts={"metadata": {"utter_action": "utter_greet"}}),)),
    ]  # fmt: skip
    tracker = current_state(DOMAIN, "c", events, "ALL")
    assert set(tracker) == {
        "sender_id", "slots", "latest_message", "latest_event_time", "followup_action", "paused", "events",
        "latest_input_channel", "active_loop", "latest_action", "latest_action_name",
    }  # fmt: skip
    assert tracker["latest_message"]["intent"] == {"name": "inform", "confidence": 1.0}
    assert tracker["active_loop"]["name"] == "pizza_form"
    assert tracker["latest_action"] == {"action_name": "pizza_form"}
    assert tracker["latest_event_time"] == 4.0
    assert {"requested_slot", "session_started_metadata", "topping"} <= set(tracker["slots"])
    bot = tracker["events"][-1]
    assert bot["metadata"] == {"utter_action": "utter_greet"}
    assert bot["data"] == {
        "elements": None, "quick_replies": None, "buttons": None, "attachment": None, "image": "i.png", "custom": None,
    }  # fmt: skip
    user = tracker["events"][3]
    assert user["parse_data"]["entities"][0]["entity"] == "size"
    assert current_state(DOMAIN, "c", events, "ALL", until=1.0)["latest_message"]["text"] is None
    restarted = current_state(DOMAIN, "c", [*events, told("restart"), *events[:3]])
    assert [event["event"] for event in restarted["events"]] == ["action", "session_started", "action"]
    assert rasa_events([FeedbackGiven(1.0, "m", 1)]) == []
