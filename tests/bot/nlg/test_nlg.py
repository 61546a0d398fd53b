from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.assistant import Assistant, Variant
from bot.nlg.realise import Realiser, shown
from bot.nlg.templates import ResponseError, Templates, fill
from bot.nlg.user import UserPhrases
from memory.conversation import Conversation
from memory.dialogue import Button, DialogueAct, NLUResult, ScoredAct, SystemAct
from memory.turn import SYSTEM_KINDS


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@given(st.dictionaries(st.sampled_from(["name", "food", "area"]), st.text()), st.text())
def test_values_are_never_scanned_again(values: dict[str, str], text: str) -> None:
    filled = fill("{name}", values)
    assert filled == values.get("name", "{name}")
    assert fill(text, {}) == text


def test_format_syntax_reaches_nothing() -> None:
    assert fill("{name.__class__} {0} {name!r}", {"name": "x"}) == "{name.__class__} {0} {name!r}"


def test_only_wordings_without_gaps_are_chosen() -> None:
    templates = Templates({"utter_x": [Variant("{name} and {other}"), Variant("{name}")]})
    assert [w.text for w in templates.candidates("utter_x", {"name": "a"})] == ["a"]
    with pytest.raises(ResponseError, match="utter_y"):
        templates.candidates("utter_y", {})
    with pytest.raises(ResponseError, match="name"):
        templates.candidates("utter_x", {})


def test_what_was_just_said_is_not_said_again() -> None:
    templates = Templates({"utter_x": [Variant("one"), Variant("two")]})
    assert {templates.choose("utter_x", {}, rng(), avoid="one").text for _ in range(20)} == {"two"}


def test_buttons_belong_to_the_response() -> None:
    templates = Templates({"utter_x": [Variant("one", (Button("b", "/b"),)), Variant("two")]})
    assert all(templates.choose("utter_x", {}, rng()).buttons for _ in range(10))


def test_wordings_that_mention_the_wishes_come_first() -> None:
    templates = Templates({"utter_x": [Variant("{name}"), Variant("{name} {area}")]})
    wordings = templates.candidates("utter_x", {"name": "a", "area": "north"}, frozenset({"area"}))
    assert [w.text for w in wordings] == ["a north"]


@pytest.mark.parametrize(("value", "text"), [("friday", "Friday"), ("2026-12-05", "5 December"), ("19:30", "19:30")])
def test_values_are_shown_as_people_write_them(value: str, text: str) -> None:
    assert shown(value) == text


def test_every_system_act_has_words(assistant: Assistant) -> None:
    realiser, ontology = Realiser(assistant), assistant.ontology
    state = Conversation.new(ontology, "c")
    for kind in SYSTEM_KINDS:
        slots = ontology.open_slots if kind in ("request_open", "booking_failed") else ontology.slots
        for slot in slots:
            value, other = ontology.constraints.get(slot, ("4", "5"))[:2]
            act = SystemAct(kind, slot, value, other, ontology.entity_names[0], ontology.requestable)
            for reply in realiser.task(act, state, NLUResult(""), rng(), "REF23456"):
                assert reply.text.strip()
                assert "{" not in reply.text, reply.text


def test_the_simulated_user_has_words_for_every_act(assistant: Assistant) -> None:
    phrases, ontology = UserPhrases(assistant.user_phrases), assistant.ontology
    acts = [
        DialogueAct(kind, *pair) for kind in ("inform", "deny") for pair in ontology.values if pair[1] != "dontcare"
    ]
    acts += [DialogueAct("inform", slot, "dontcare") for slot in (*ontology.slots, None)]
    acts += [DialogueAct("request", attribute) for attribute in ontology.requestable]
    acts += [DialogueAct("inform", slot, value) for slot in ontology.open_slots for value in phrases.open_values(slot)]
    flow = ("hello", "bye", "thankyou", "ack", "affirm", "negate", "reqalts", "book", "cancel", "repeat", "restart")
    for act in [*acts, *(DialogueAct(name) for name in flow)]:
        sentence = phrases.sentence([act], rng())
        assert sentence.strip()
        assert "{" not in sentence


def test_a_question_about_a_diet_is_answered_by_what_the_venue_suits(assistant: Assistant) -> None:
    """The question is heard as one for a cuisine; a place that is found as vegetarian must not deny it."""
    o, realiser = assistant.ontology, Realiser(assistant)
    nlu = NLUResult("is it vegetarian?", (ScoredAct(DialogueAct("confirm", "food", "vegetarian"), 0.98),))
    for suits, denied in (("vegetarians", False), ("no special diet", True)):
        rows = zip(o.entity_names, o.entities["suits"], o.entities["food"], strict=True)
        name, food = next((name, food) for name, cell, food in rows if cell == suits and food != "vegetarian")
        act = SystemAct("answer", entity=name, answered=("food",))
        text = realiser.task(act, Conversation.new(o, "c"), nlu, rng())[0].text
        assert (food in text) == denied
        assert ("vegetarian dishes" in text) != denied
