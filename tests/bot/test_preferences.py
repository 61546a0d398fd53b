"""Lasting preferences: how they are heard, what task.yml may say about them, how they narrow a search."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.assistant import Assistant, AssistantError, load_assistant
from bot.preferences import Preference, PreferenceFilter, PreferenceListener
from memory.conversation import fold
from memory.dialogue import DialogueAct, NLUResult, ScoredAct
from memory.events import MemoryCleared, PreferenceStated, PreferenceWithdrawn, event_from_json, event_to_json
from tests.bot.test_remembering import Talk

ROOT = Path(__file__).parents[2]
SEABORNE = Preference(
    "sailor",
    "deck",
    "sailors",
    "you are a sailor",
    "a berth",
    ("I'm a sailor", "I don't sleep on land"),
    ("I sold my boat",),
)


@pytest.fixture(scope="module")
def assistant() -> Assistant:
    return load_assistant(ROOT / "assistants/restaurants")


@pytest.fixture(scope="module")
def listener(assistant: Assistant) -> PreferenceListener:
    return PreferenceListener(assistant.task.preferences)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("I'm vegetarian", ""),
        ("I am a strict vegetarian.", ""),
        ("Remember that I\u2019m vegetarian!", ""),
        ("please don't forget that I don't eat any meat", ""),
        ("we're vegetarians", ""),
        ("I'm vegetarian and I'd like indian food in the centre", "I'd like indian food in the centre"),
        ("find me an indian place, I'm vegetarian", "find me an indian place"),
        ("Since I'm a vegetarian, find me thai", "find me thai"),
        ("No, I'm vegetarian", "No"),
    ],
)
def test_it_is_heard_and_the_rest_stays(listener: PreferenceListener, text: str, rest: str) -> None:
    heard = listener.hear(text)
    assert (heard.stated, heard.withdrawn, heard.rest) == (("vegetarian",), (), rest)


@pytest.mark.parametrize(
    "text",
    [
        "I'm not vegetarian anymore",
        "I am no longer a vegetarian.",
        "I eat meat again",
        "forget that I'm vegetarian",
        "forget the fact that I don't eat meat",
    ],
)
def test_it_is_taken_back(listener: PreferenceListener, text: str) -> None:
    heard = listener.hear(text, ("vegetarian",))
    assert (heard.stated, heard.withdrawn, heard.rest) == ((), ("vegetarian",), "")


@pytest.mark.parametrize(
    "text",
    [
        "my wife is vegetarian",
        "Vegetarian please",
        "she says I'm vegetarian",
        "if I'm vegetarian, what then?",
        "I don't eat meat on Fridays",
        "I'm not vegetarian",
        "a vegetarian place in the north",
    ],
)
def test_other_sentences_are_left_as_they_are(listener: PreferenceListener, text: str) -> None:
    heard = listener.hear(text)
    assert (heard.stated, heard.withdrawn, heard.rest) == ((), (), text)


def test_the_words_are_the_assistants_alone() -> None:
    listener = PreferenceListener([SEABORNE])
    assert listener.hear("I am a sailor, find me thai").stated == ("sailor",)
    assert listener.hear("I sleep on land", ("sailor",)).withdrawn == ("sailor",)
    assert listener.hear("I sold my boat", ("sailor",)).withdrawn == ("sailor",)
    assert listener.hear("I'm vegetarian").stated == ()


@given(st.text(max_size=200))
def test_any_text_is_survived(text: str) -> None:
    heard = PreferenceListener([SEABORNE]).hear(text, ("sailor",))
    assert len(heard.rest) <= len(text)


def test_several_preferences_leave_the_rows_that_suit_all(assistant: Assistant) -> None:
    chosen = PreferenceFilter(assistant.task.preferences, assistant.ontology.entities)
    vegetarian, vegan = chosen.eligible(["vegetarian"]), chosen.eligible(["vegan"])
    both = chosen.eligible(["vegetarian", "vegan", "forgotten by task.yml"])
    assert vegetarian is not None
    assert vegan is not None
    assert both is not None
    assert 0 < both.sum() <= vegan.sum() < vegetarian.sum() < assistant.ontology.num_entities
    np.testing.assert_array_equal(both, vegetarian & vegan)
    assert chosen.eligible([]) is None


def test_every_food_keeps_the_policys_arrays(assistant: Assistant) -> None:
    plain = replace(assistant.task, preferences=())
    assert plain.constraint_priors == assistant.task.constraint_priors
    assert "suits" not in assistant.ontology.slots + assistant.ontology.requestable


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("column: suits", "column: suit", "no column 'suit'.*Did you mean 'suits'"),
        ("value: vegetarians", "value: vegetarian", "no row's suits lists 'vegetarian'.*vegetarians"),
        ("    you: ", "    your: ", "unknown key 'your'"),
        ('phrase: "a good choice of vegan dishes"', "phrase: [a]", "'phrase' is a list"),
        ("    said:\n", '    said:\n      - "!"\n', "'!' has no word that tells anything"),
    ],
)
def test_a_wrong_declaration_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    folder = tmp_path / "restaurants"
    shutil.copytree(ROOT / "assistants/restaurants", folder)
    text = (folder / "task.yml").read_text(encoding="utf-8")
    assert old in text
    (folder / "task.yml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(AssistantError, match=rf"task\.yml:\d+: .*{says}"):
        load_assistant(folder)


def inform(text: str, *pairs: tuple[str, str]) -> NLUResult:
    return NLUResult(text, tuple(ScoredAct(DialogueAct("inform", slot, value), 0.99) for slot, value in pairs))


def offered(talk: Talk) -> str:
    venue = int(talk.state.belief.venue[0])
    return talk.engine.ontology.entity_names[venue]


class Diner(Talk):
    """Asks for food by its name; everything else is the memory's."""

    def __init__(self, assistant: Assistant) -> None:
        super().__init__(assistant)
        self.understood = {
            food: inform(food, ("food", food), ("area", "dontcare"), ("pricerange", "dontcare"))
            for food in ("indian", "steakhouse", "italian")
        } | {"other": NLUResult("other", (ScoredAct(DialogueAct("reqalts"), 0.99),))}


def suits(assistant: Assistant, venue: str) -> str:
    return assistant.ontology.attribute(assistant.ontology.entity_index[venue.lower()], "suits")


def test_later_searches_keep_the_cuisine_and_the_preference(assistant: Assistant) -> None:
    diner = Diner(assistant)
    assert "vegetarian" in diner.say("Remember that I'm vegetarian.")
    assert diner.state.preferences == ("vegetarian",)
    venues = []
    for wish in ("indian", "other", "other"):
        reply = diner.say(wish)
        venues.append(offered(diner))
        assert "Since you are vegetarian" in reply
        assert assistant.ontology.attribute(assistant.ontology.entity_index[venues[-1].lower()], "food") == "indian"
        assert "vegetarians" in suits(assistant, venues[-1])
    assert len(set(venues)) == 3
    everyone = Diner(assistant)
    without = [(everyone.say(wish), offered(everyone))[1] for wish in ("indian", "other", "other", "other", "other")]
    assert not all("vegetarians" in suits(assistant, venue) for venue in without), "else the filter would be untested"


def test_what_suits_nobody_is_said_and_something_else_proposed(assistant: Assistant) -> None:
    diner = Diner(assistant)
    diner.say("I don't eat meat")
    reply = diner.say("steakhouse")
    assert "a good choice of vegetarian dishes" in reply
    assert diner.state.belief.venue[0] < 0, "no steak house is offered"


def test_it_survives_start_again_and_a_restart_of_the_server(assistant: Assistant) -> None:
    diner = Diner(assistant)
    diner.say("I'm vegetarian")
    assert "vegetarian" in diner.say("/restart")
    stored = [event_from_json(event_to_json(event)) for event in diner.events]
    diner.state = fold(assistant.ontology, "c", stored)
    assert diner.state.preferences == ("vegetarian",)
    assert "Since you are vegetarian" in diner.say("italian")


@pytest.mark.parametrize(
    "how", ["I'm not vegetarian anymore", "forget that I'm vegetarian", "forget everything I told you"]
)
def test_it_can_be_taken_back(assistant: Assistant, how: str) -> None:
    diner = Diner(assistant)
    diner.say("I'm a vegetarian")
    diner.say(how)
    assert diner.state.preferences == ()
    diner.say("steakhouse")
    assert diner.state.belief.venue[0] >= 0


def test_a_venue_on_the_table_that_does_not_suit_is_said(assistant: Assistant) -> None:
    diner = Diner(assistant)
    diner.say("steakhouse")
    venue = offered(diner)
    assert venue in diner.say("I'm vegetarian"), "the place that was offered is named"


def test_a_venue_that_is_named_is_offered_with_a_caveat(assistant: Assistant) -> None:
    diner = Diner(assistant)
    diner.understood["The Drover"] = inform("The Drover", ("name", "The Drover"))
    diner.say("I'm vegetarian")
    for _ in range(3):
        reply = diner.say("The Drover")
        if "a good choice of vegetarian dishes" in reply:
            break
    assert "The Drover" in reply
    assert "Since" not in reply


def test_it_is_known_when_asked_for(assistant: Assistant) -> None:
    diner = Diner(assistant)
    assert "not" in diner.say("Did I tell you that I'm vegetarian?")
    diner.say("I'm vegetarian")
    assert "Yes" in diner.say("Am I vegetarian?")
    assert "You are vegetarian" in diner.say("What do you remember?")


def test_preferences_count_without_a_memory(assistant: Assistant) -> None:
    diner = Diner(assistant)
    assert diner.engine.recall is not None
    diner.engine.recall.memory = None
    diner.say("I'm vegetarian")
    assert diner.state.preferences == ("vegetarian",)
    diner.say("I left the passport in the drawer.")
    assert diner.state.remembered == ()


def test_the_fold_holds_each_preference_once(assistant: Assistant) -> None:
    events = [PreferenceStated(0, "a", "x"), PreferenceStated(0, "b", "x"), PreferenceStated(0, "a", "x")]
    assert fold(assistant.ontology, "c", events).preferences == ("b", "a")
    assert fold(assistant.ontology, "c", [*events, PreferenceWithdrawn(0, "b")]).preferences == ("a",)
    assert fold(assistant.ontology, "c", [*events, MemoryCleared(0)]).preferences == ()


@pytest.mark.parametrize(
    ("text", "held", "stated", "withdrawn", "rest"),
    [
        ("I'm vegetarian and vegan", (), ("vegetarian", "vegan"), (), ""),
        ("i'm neither vegetarian nor vegan", ("vegan",), (), ("vegan",), ""),
        ("I'm not vegetarian or vegan", ("vegetarian", "vegan"), (), ("vegetarian", "vegan"), ""),
        ("I'm not a vegetarian but my wife is", ("vegetarian",), (), ("vegetarian",), ""),
        ("I'm vegetarian and hungry", (), ("vegetarian",), (), "hungry"),
        ("I'm vegetarian and my wife is allergic to nuts", (), ("vegetarian",), (), "my wife is allergic to nuts"),
    ],
)
def test_several_preferences_in_one_clause(
    text: str, held: tuple[str, ...], stated: tuple[str, ...], withdrawn: tuple[str, ...], rest: str
) -> None:
    listener = PreferenceListener(load_assistant("assistants/restaurants").task.preferences)
    found = listener.hear(text, held)
    assert (set(found.stated), set(found.withdrawn), found.rest) == (set(stated), set(withdrawn), rest)
