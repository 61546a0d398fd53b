"""Forms are filled, interrupted, corrected, validated, left and submitted as Rasa does it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.rasa.actions.protocol import ActionFailed, ActionResult
from bot.rasa.conversation import apply_event, new_conversation
from bot.rasa.default_actions import NOT_UNDERSTOOD
from bot.rasa.engine import APOLOGY
from bot.rasa.mappings import extracted_slots
from bot.rasa.reading.loading import load_project
from memory.dialogue import Entity, NLUResult
from memory.events import TrackerEvent, UserUttered
from tests.bot.rasa.projects import PIZZA, write_project
from tests.bot.rasa.talk import OwnActions, Talk, result, slot

DOMAIN = """
version: "3.1"
intents: [book, inform, ask, stop, switch, affirm]
entities: [city, number]
slots:
  city:
    type: text
    influence_conversation: false
    mappings: [{type: from_entity, entity: city}]
  seats:
    type: float
    influence_conversation: false
    mappings: [{type: from_entity, entity: number}]
  rooms:
    type: float
    influence_conversation: false
    mappings: [{type: from_entity, entity: number}]
  kind:
    type: text
    influence_conversation: false
    mappings:
    - {type: from_trigger_intent, intent: book, value: trip, conditions: [{active_loop: trip_form}]}
  stars:
    type: text
    influence_conversation: false
    mappings:
    - {type: from_text, conditions: [{active_loop: hotel_form, requested_slot: stars}]}
forms:
  trip_form: {required_slots: [city, seats, rooms], ignored_intents: [ask]}
  hotel_form: {required_slots: [stars]}
actions: [ACTIONS]
responses:
  utter_ask_city: [{text: "Where to?"}]
  utter_ask_trip_form_seats: [{text: "How many seats?"}]
  utter_ask_seats: [{text: "wrong question"}]
  utter_ask_rooms: [{text: "How many rooms?"}]
  utter_ask_stars: [{text: "How many stars?"}]
  utter_booked: [{text: "{city}, {seats} seats, {rooms} rooms, {kind}"}]
  utter_hotel: [{text: "{stars} stars"}]
  utter_answer: [{text: "That's why."}]
  utter_sure: [{text: "Are you sure?"}]
  utter_stopped: [{text: "Stopped."}]
"""

RULES = """
version: "3.1"
rules:
- rule: book
  steps: [intent: book, action: trip_form, active_loop: trip_form]
- rule: booked
  condition: [active_loop: trip_form]
  steps: [action: trip_form, active_loop: null, action: utter_booked]
- rule: question
  steps: [intent: ask, action: utter_answer]
- rule: switch
  steps: [intent: switch, action: hotel_form, active_loop: hotel_form]
- rule: hotel
  condition: [active_loop: hotel_form]
  steps: [action: hotel_form, active_loop: null, action: utter_hotel]
- rule: stop
  condition: [active_loop: trip_form]
  steps: [intent: stop, action: utter_sure, intent: affirm, action: action_deactivate_loop, active_loop: null,
          action: utter_stopped]
"""


def trip(folder: Path, actions: str = "", own: OwnActions | None = None) -> Talk:
    domain = DOMAIN.replace("[ACTIONS]", f"[{actions}]")
    return Talk.with_project(write_project(folder, {"domain.yml": domain, "data/rules.yml": RULES}), own)


def test_a_form_asks_for_what_is_missing_and_is_submitted(tmp_path: Path) -> None:
    talk = trip(tmp_path)
    assert talk.say("/book") == ["Where to?"]
    assert talk.state.requested_slot == "city"
    assert talk.say('/inform{"city": "Rome"}') == ["How many seats?"]
    assert talk.say('/inform{"number": 2}') == ["How many rooms?"], "an entity of two slots fills the one asked for"
    assert talk.say('/inform{"number": 1}') == ["Rome, 2 seats, 1 rooms, trip"]
    assert (talk.state.active_loop, talk.state.requested_slot) == (None, None)
    assert talk.reread() == talk.state


def test_what_is_known_before_is_not_asked_for(tmp_path: Path) -> None:
    talk = trip(tmp_path)
    assert talk.say('/book{"city": "Oslo"}') == ["How many seats?"]


def test_a_question_in_between_comes_back_to_the_form(tmp_path: Path) -> None:
    talk = trip(tmp_path)
    talk.say("/book")
    assert talk.say("/ask") == ["That's why.", "Where to?"]
    assert talk.say('/inform{"city": "Rome"}') == ["How many seats?"]
    assert talk.say('/inform{"city": "Oslo"}') == ["How many seats?"], "corrected"
    assert talk.state.slots["city"] == "Oslo"
    assert talk.say("/ask") == ["That's why.", "How many seats?"], "what was said before doesn't answer this question"
    rejected = [e for e in talk.events if isinstance(e, TrackerEvent) and e.name == "action_execution_rejected"]
    assert [event.fields["name"] for event in rejected] == ["trip_form"] * 2


def test_ignored_intents_fill_nothing(tmp_path: Path) -> None:
    talk = trip(tmp_path)
    talk.say("/book")
    talk.say('/ask{"city": "Rome"}')
    assert talk.state.slots["city"] is None


def test_rules_for_a_form_may_leave_it(tmp_path: Path) -> None:
    talk = trip(tmp_path)
    talk.say("/book")
    assert talk.say("/stop") == ["Are you sure?"], "the rule goes on listening: the form doesn't ask again"
    assert talk.say("/affirm") == ["Stopped."]
    assert talk.state.active_loop is None


def test_the_trigger_of_a_form_fills_slots_only_when_it_begins(tmp_path: Path) -> None:
    talk = trip(tmp_path)
    talk.say("/book")
    assert talk.state.slots["kind"] == "trip"
    talk.told(("slot", {"name": "kind", "value": "journey"}))
    talk.say('/book{"city": "Rome"}')
    assert (talk.state.slots["kind"], talk.state.slots["city"]) == ("journey", "Rome")


def test_roles_tell_entities_apart() -> None:
    domain = load_project(PIZZA).domain
    cities = (Entity("city", "Naples", 0, 1, role="to"), Entity("city", "Rome", 2, 3, role="from"))
    nlu = NLUResult("ride", intents=(("ride", 1.0),), entities=cities)
    state = apply_event(domain, new_conversation(domain, "c"), UserUttered(1.0, "ride", "m", "rest", nlu))
    assert extracted_slots(domain, state) == [("destination", "Naples")]


def test_another_form_takes_over(tmp_path: Path) -> None:
    talk = trip(tmp_path)
    talk.say("/book")
    assert talk.say("/switch") == ["How many stars?"]
    assert talk.say("five") == ["five stars"]


def test_a_message_that_says_nothing_is_for_the_other_policies(tmp_path: Path) -> None:
    talk = trip(tmp_path)
    talk.say("/book")
    assert talk.say("/affirm") == [NOT_UNDERSTOOD]
    assert talk.state.active_loop == "trip_form"
    assert talk.say('/inform{"city": "Rome"}') == ["How many seats?"]


def test_validation_corrects_refuses_and_ends_a_form(tmp_path: Path) -> None:
    def validate(tracker: Mapping[str, Any]) -> ActionResult:
        city = next((e["value"] for e in reversed(tracker["events"][-1:]) if e.get("name") == "city"), None)
        if city == "nowhere":
            return result(slot("city", None), say=[{"text": "There is no such place."}])
        if city == "stop":
            return result(slot("requested_slot", None))
        return result(slot("city", city.title())) if city else result()

    talk = trip(tmp_path, "validate_trip_form", OwnActions(validate_trip_form=validate))
    talk.say("/book")
    assert talk.say('/inform{"city": "nowhere"}') == ["There is no such place.", "Where to?"]
    assert talk.say('/inform{"city": "rome"}') == ["How many seats?"]
    assert talk.state.slots["city"] == "Rome"
    talk.say('/inform{"city": "stop"}')
    assert talk.state.active_loop is None


def test_validation_may_choose_the_next_slot_and_questions_may_be_actions(tmp_path: Path) -> None:
    own = OwnActions(
        validate_trip_form=lambda tracker: result(slot("requested_slot", "rooms")),
        action_ask_rooms=lambda tracker: result(say=[{"text": "Rooms, please."}]),
    )
    talk = trip(tmp_path, "validate_trip_form, action_ask_rooms", own)
    assert talk.say("/book") == ["Rooms, please."]
    assert talk.state.requested_slot == "rooms"


def test_a_validation_that_fails_keeps_nothing_unchecked(tmp_path: Path) -> None:
    failing = True

    def validate(tracker: Mapping[str, Any]) -> ActionResult:
        if failing:
            raise ActionFailed("validate_trip_form", "unreachable", "no connection")
        return result()

    talk = trip(tmp_path, "validate_trip_form", OwnActions(validate_trip_form=validate))
    assert talk.say('/book{"city": "Rome"}') == [APOLOGY]
    assert talk.state.slots["city"] is None
    failing = False
    assert talk.say('/inform{"city": "Oslo"}') == ["How many seats?"]


def test_a_validation_may_reject_the_whole_message(tmp_path: Path) -> None:
    refuse = {"event": "action_execution_rejected", "name": "trip_form", "policy": None, "confidence": 1.0}
    talk = trip(tmp_path, "validate_trip_form", OwnActions(validate_trip_form=lambda tracker: result(refuse)))
    talk.told(("active_loop", {"name": "trip_form"}), ("action", {"name": "action_listen"}))
    talk.told(("slot", {"name": "requested_slot", "value": "city"}))
    assert talk.say("/ask")[0] == "That's why."


def test_slots_are_validated_for_the_whole_project(tmp_path: Path) -> None:
    own = OwnActions(
        action_validate_slot_mappings=lambda tracker: result(slot("city", tracker["slots"]["city"].upper()))
    )
    talk = trip(tmp_path, "action_validate_slot_mappings", own)
    assert talk.say('/book{"city": "Rome"}') == ["How many seats?"]
    assert talk.state.slots["city"] == "ROME"


def test_custom_mappings_run_their_action(tmp_path: Path) -> None:
    domain = DOMAIN.replace("[ACTIONS]", "[action_guess]").replace(
        "mappings: [{type: from_entity, entity: city}]", "mappings: [{type: custom, action: action_guess}]"
    )
    folder = write_project(tmp_path, {"domain.yml": domain, "data/rules.yml": RULES})
    own = OwnActions(action_guess=lambda tracker: result(slot("city", "Turin")))
    assert Talk.with_project(folder, own).say("/book") == ["How many seats?"]


@pytest.mark.parametrize(("answer", "replies"), [("/affirm", "Small or large?"), ("/deny", "Fine, no pizza.")])
def test_stories_may_interrupt_a_form_and_come_back_or_not(answer: str, replies: str) -> None:
    talk = Talk.with_project(PIZZA)
    talk.say("/order_pizza")
    assert talk.say("/stop") == ["Shall we go on with the pizza?"]
    if answer == "/deny":
        assert talk.say(answer) == [replies]
        assert talk.state.active_loop is None
    else:
        assert talk.say(answer) == ["Which topping?"]
        assert talk.say('/inform{"topping": "ham"}') == [replies]


def test_a_story_goes_on_after_the_form_it_began() -> None:
    talk = Talk.with_project(PIZZA)
    talk.say("/greet")
    talk.say("/affirm")
    for text in ('/inform{"topping": "ham"}', "/faq/hours", '/inform{"size": "large"}'):
        talk.say(text)
    assert talk.say("Via Roma 1") == ["A large pizza with ham comes to Via Roma 1. Bring friends."]
    fresh = Talk.with_project(PIZZA)
    fresh.say('/order_pizza{"topping": "ham", "size": "small"}', channel="slack")
    assert fresh.say("here", channel="slack") == ["*small* pizza, ham, to here"]
