"""The engine on the default assistant; users speak in message shortcuts, so that only the engine is tested."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import numpy as np
import pytest

from bot.assistant import Assistant, load_assistant
from bot.engine import Engine
from memory.belief import BeliefState
from memory.conversation import Conversation, fold
from memory.dialogue import DialogueAct, NLUResult, ScoredAct, SystemAct, UserMessage
from memory.events import Booked, BotUttered, Decided, Event, HandedOff, event_from_json, event_to_json
from memory.ontology import BoolArray, IntArray
from policies.policy import PolicyOutput
from policies.rule import RulePolicy
from policies.social import SocialPolicy

MONDAY = 1_795_422_000.0
"""2026-11-23 09:00 UTC."""
CHEAP_CHINESE = '/inform{"food":"chinese","area":"north","pricerange":"cheap"}'


@pytest.fixture(scope="module")
def assistant() -> Assistant:
    return load_assistant("assistants/restaurants")


async def nothing_understood(text: str, previous: SystemAct | None) -> NLUResult:
    return NLUResult(text)


class Talk:
    """One conversation with the engine."""

    def __init__(self, assistant: Assistant, name: str = "c", seed: int = 7) -> None:
        self.engine = Engine(
            assistant, nothing_understood, RulePolicy(assistant.ontology), SocialPolicy(assistant.ontology), seed
        )
        self.state = Conversation.new(assistant.ontology, name)
        self.events: list[Event] = []

    def say(self, text: str) -> str:
        message = UserMessage(self.state.id, text, f"m{self.state.seq}", timestamp=MONDAY)
        turn = asyncio.run(self.engine.respond(self.state, message))
        self.state = turn.state
        self.events += turn.events
        said = turn.events[-1]
        assert isinstance(said, BotUttered)
        assert said.replies
        assert all(reply.text.strip() for reply in said.replies)
        return "\n".join(reply.text for reply in said.replies)

    @property
    def kind(self) -> str:
        decided = next(event for event in reversed(self.events) if isinstance(event, Decided))
        return decided.system.kind if decided.system else decided.decision.action


@pytest.fixture
def talk(assistant: Assistant) -> Iterator[Talk]:
    return Talk(assistant)


def test_from_wish_to_booking(talk: Talk) -> None:
    talk.say(CHEAP_CHINESE)
    assert talk.kind == "offer"
    offered = talk.events[1].system.entity  # type: ignore[union-attr]
    row = talk.engine.ontology.entity_index[offered.lower()]  # type: ignore[union-attr]
    assert talk.engine.ontology.attribute(row, "food") == "chinese"
    phone = talk.engine.ontology.attribute(row, "phone")
    assert phone in talk.say('/request{"attribute":"phone"}')
    talk.say('/inform{"people":"4","day":"friday","time":"19:00","booking_name":"Anna Kowalska"}')
    if talk.kind == "confirm_booking":
        talk.say("/affirm")
    assert talk.kind == "booked"
    booking = next(event for event in talk.events if isinstance(event, Booked))
    assert booking.details == {"people": "4", "day": "friday", "time": "19:00", "booking_name": "Anna Kowalska"}
    assert booking.entity == offered
    assert re.fullmatch(r"[A-HJ-NP-Z2-9]{8}", booking.reference)
    said = "\n".join(r.text for e in talk.events if isinstance(e, BotUttered) for r in e.replies)
    assert booking.reference in said


def test_closed_then_another_time(talk: Talk) -> None:
    talk.say(CHEAP_CHINESE)
    talk.say('/inform{"people":"2","day":"friday","time":"04:00","booking_name":"Sam"}')
    while talk.kind == "request_open":
        talk.say('/inform{"time":"04:00"}')
    assert talk.kind == "booking_failed"
    assert not talk.state.bookings
    talk.say('/inform{"time":"19:00"}')
    if talk.kind == "confirm_booking":
        talk.say("/affirm")
    assert talk.kind == "booked"


def test_party_too_large(talk: Talk, assistant: Assistant) -> None:
    talk.say(CHEAP_CHINESE)
    reply = talk.say('/inform{"people":"200","day":"friday","time":"19:00","booking_name":"Sam"}')
    assert talk.kind == "booking_failed"
    assert str(assistant.task.party_limit) in reply or "200" in reply


def test_party_too_large_is_said_at_once(talk: Talk) -> None:
    talk.say(CHEAP_CHINESE)
    talk.say("/book")
    talk.say('/inform{"people":"200"}')
    assert talk.kind == "booking_failed"
    talk.say('/inform{"people":"6"}')
    assert talk.kind == "request_open"


def test_a_venue_named_by_the_user_is_told_about(talk: Talk) -> None:
    talk.say(CHEAP_CHINESE)
    reply = talk.say('/inform{"venue":"Crêperie Gwen"}')
    assert talk.kind == "answer"
    assert "Gwen" in reply


def test_nothing_matches_names_what_to_relax(talk: Talk) -> None:
    reply = talk.say('/inform{"food":"welsh","area":"north","pricerange":"cheap","seating":"rooftop"}')
    assert talk.kind == "offer_none"
    assert "welsh" in reply
    talk.say("/affirm")
    assert talk.kind != "offer_none" or "welsh" not in talk.say("/repeat")


def test_narrowing_a_wish_is_never_answered_with_anything_else_alone(talk: Talk) -> None:
    talk.say('/inform{"food":"italian","pricerange":"dontcare","area":"dontcare"}')
    assert talk.kind == "offer"
    space = talk.engine.space
    always = np.full(1, space.index["reqmore"], dtype=np.int32)
    talk.engine.policy = Always(always)
    reply = talk.say('/inform{"area":"centre"}')
    assert talk.kind == "reqmore"
    venue = talk.engine.ontology.entity_names[int(talk.state.belief.venue[0])]
    assert venue in reply


class Always:
    """Chooses the same action whatever happens."""

    name = "always"
    version = "1"

    def __init__(self, actions: IntArray) -> None:
        self.actions = actions

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        return PolicyOutput(self.actions, np.full(masks.shape, np.nan, dtype=np.float32), np.ones(1, dtype=np.float32))


def test_a_day_in_a_question_is_no_booking(talk: Talk) -> None:
    talk.say(CHEAP_CHINESE)
    reply = talk.say('/request{"attribute":"hours","day":"sunday"}')
    assert talk.kind == "answer"
    assert ":" in reply


def test_cancelling_what_is_booked_says_whom_to_ring(talk: Talk) -> None:
    talk.say(CHEAP_CHINESE)
    assert talk.say("/cancel")
    talk.say('/inform{"people":"4","day":"friday","time":"19:00","booking_name":"Sam"}')
    if talk.kind == "confirm_booking":
        talk.say("/affirm")
    assert talk.state.bookings[0].reference in talk.say("/cancel")


def test_a_shortcut_to_an_unknown_topic_is_answered(talk: Talk) -> None:
    assert talk.say("/faq/zzz")
    assert talk.say("/faq")
    assert talk.say("/chitchat/zzz")


@pytest.mark.parametrize("people", ["²", "-5", "many", "9" * 5000])
def test_a_party_that_is_no_number_is_no_booking(talk: Talk, people: str) -> None:
    talk.say(CHEAP_CHINESE)
    talk.say("/book")
    talk.say(f'/inform{{"people":"{people}"}}')
    assert talk.kind == "booking_failed"


def test_a_restart_forgets_the_mood_but_not_the_bookings(talk: Talk) -> None:
    talk.say(CHEAP_CHINESE)
    talk.say('/inform{"people":"4","day":"friday","time":"19:00","booking_name":"Sam"}')
    if talk.kind == "confirm_booking":
        talk.say("/affirm")
    talk.say("/complaint")
    assert talk.state.complaints == 1
    talk.say("/restart")
    assert talk.state.complaints == 0
    assert talk.state.mood == 0
    assert len(talk.state.bookings) == 1
    assert talk.state.belief.goals.max() == 0


def test_a_refused_venue_is_not_offered_again(talk: Talk) -> None:
    talk.say('/inform{"food":"french","area":"south","pricerange":"cheap"}')
    refused = talk.state.belief.venue[0]
    for _ in range(3):
        talk.say("/reqalts")
        assert talk.kind == "alternative_none" or talk.state.belief.venue[0] != refused
    masks = talk.engine.space.masks(talk.state.belief)
    assert not masks[0, talk.engine.space.index["offer"]]


def test_digression_keeps_the_thread(talk: Talk, assistant: Assistant) -> None:
    talk.say(CHEAP_CHINESE)
    talk.say("/book")
    assert talk.kind == "request_open"
    asked = talk.state.belief.last.slot[0]
    faq = assistant.faq[0]
    reply = talk.say(f"/faq/{faq.id}")
    assert any(answer in reply for answer in faq.answers)
    assert len(reply.splitlines()) > 1, "the pending question is asked again"
    assert talk.state.belief.last.slot[0] == asked


def test_upset_user_gets_an_apology_and_then_a_person(assistant: Assistant) -> None:
    talk = Talk(assistant)

    async def angry(text: str, previous: SystemAct | None) -> NLUResult:
        acts = (ScoredAct(DialogueAct("complaint"), 0.9), ScoredAct(DialogueAct("inform", "food", "thai"), 0.9))
        return NLUResult(text, acts, sentiment=-0.8)

    talk.engine.understand = angry
    reply = talk.say("this is useless, I said thai")
    assert len(reply.splitlines()) > 1
    assert any(reply.startswith(v.text) for v in assistant.responses["utter_apologise"])
    talk.say("still useless, I said thai!")
    assert talk.kind == "handoff_offer"
    talk.say("/affirm")
    assert any(isinstance(event, HandedOff) for event in talk.events)
    assert talk.state.handed_off


def test_not_understood_three_times_offers_a_person(talk: Talk) -> None:
    kinds = []
    for text in ("blah", "blubb", "bla bla"):
        talk.say(text)
        kinds.append(talk.kind)
    assert kinds == ["ask_rephrase", "ask_rephrase", "handoff_offer"]


def test_same_turn_same_reply(assistant: Assistant) -> None:
    lines = ["/hello", CHEAP_CHINESE, "/reqalts", "/book", "blah", "/thankyou"]
    first, second = Talk(assistant), Talk(assistant)
    assert [first.say(line) for line in lines] == [second.say(line) for line in lines]
    other = Talk(assistant, seed=8)
    assert [other.say(line) for line in lines] != [Talk(assistant).say(line) for line in lines]


def test_events_survive_json_and_fold_to_the_same_state(talk: Talk) -> None:
    for line in (CHEAP_CHINESE, "/reqalts", "/book", '/inform{"people":"3","day":"sunday"}', "blah"):
        talk.say(line)
    again = [event_from_json(event_to_json(event)) for event in talk.events]
    state = fold(talk.engine.ontology, "c", again)
    assert state.seq == talk.state.seq
    assert (state.belief.goals == talk.state.belief.goals).all()
    assert (state.belief.open_confidence == talk.state.belief.open_confidence).all()
    assert state.belief.last.kind == talk.state.belief.last.kind
    assert [event_to_json(event) for event in again] == [event_to_json(event) for event in talk.events]


def test_a_value_is_never_a_template(assistant: Assistant) -> None:
    talk = Talk(assistant)
    talk.say(CHEAP_CHINESE)
    reply = talk.say('/inform{"people":"2","day":"friday","time":"19:00","booking_name":"{phone} {reference}"}')
    if talk.kind == "confirm_booking":
        reply = talk.say("/affirm")
    assert "{phone} {reference}" in reply
