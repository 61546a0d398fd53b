"""What is asked to be forgotten or told again, and which statements mention a topic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.topics import Wanted, addressed, forgets_what_was_said, forgetting, listing, mentioning, with_references

TOLD = (
    "I left the passport in the drawer.",
    "Then I took it to the office.",
    "My sister's flat is in York.",
    "She works at the hospital.",
    "Tom lost his bike.",
    "I put the keys in the blue bag.",
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("forget everything I told you", Wanted("all")),
        ("Please forget what I told you.", Wanted("all")),
        ("erase all you know about me", Wanted("all")),
        ("clear your memory", Wanted("all")),
        ("forget what I said about my passport", Wanted("about", "my passport")),
        ("can you forget everything I told you about Priya and Tom?", Wanted("about", "Priya and Tom")),
        ("forget that my sister lives in York", Wanted("about", "my sister lives in York")),
        ("forget about my sister.", Wanted("mine", "my sister")),
        ("Forget that.", Wanted("latest")),
        ("scratch that", Wanted("latest")),
        ("forget the last thing I told you", Wanted("latest")),
        ("take that back please", Wanted("latest")),
        ("forget the north, centre is fine", None),
        ("forget that, start over", None),
        ("don't forget that I work on Mondays", None),
        ("find me thai food", None),
    ],
)
def test_what_is_to_be_forgotten(text: str, wanted: Wanted | None) -> None:
    assert forgetting(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("What do you remember?", Wanted("all")),
        ("what do you still remember about me", Wanted("all")),
        ("what do you know about me?", Wanted("all")),
        ("what have I told you so far?", Wanted("all")),
        ("tell me everything I told you", Wanted("all")),
        ("What did I say about my passport?", Wanted("about", "my passport")),
        ("do you remember anything about Tom?", Wanted("about", "Tom")),
        ("what do you know", None),
        ("what do you know about the Tiffin Room", None),
        ("do you remember where I parked?", None),
    ],
)
def test_what_is_to_be_listed(text: str, wanted: Wanted | None) -> None:
    assert listing(text) == wanted


def test_forgetting_all_that_was_said_is_told_apart() -> None:
    assert forgets_what_was_said("forget everything I said")
    assert not forgets_what_was_said("forget everything I told you about Tom")


def test_only_what_mentions_the_topic_is_meant_and_what_refers_to_it() -> None:
    assert mentioning(TOLD, "my passport") == TOLD[:1]
    assert with_references(TOLD, mentioning(TOLD, "my passport")) == TOLD[:2]
    assert with_references(TOLD, mentioning(TOLD, "my sister")) == TOLD[2:4]
    assert with_references(TOLD, mentioning(TOLD, "the bikes or the keys")) == TOLD[4:]
    assert mentioning(TOLD, "the red bag") == (), "all words of a part must be there"
    assert mentioning(TOLD, "the") == ()


@given(st.lists(st.sampled_from(TOLD), max_size=12), st.text(max_size=40))
def test_found_statements_are_some_of_those_told_in_order(told: list[str], topic: str) -> None:
    found = with_references(told, mentioning(told, topic))
    rest = iter(told)
    assert all(text in rest for text in found)


@given(st.text(max_size=300))
def test_any_text_is_survived(text: str) -> None:
    forgetting(text)
    listing(text)
    addressed(text)


def test_a_topic_is_turned_to_the_user() -> None:
    assert addressed("my passport and our car") == "your passport and your car"


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("forget what I said about", None),
        ("wipe your memory", "all"),
        ("please forget me", "all"),
        ("delete everything you have on me", "all"),
        ("foget everything i told you", "all"),
        ("that was wrong, forget it", "latest"),
        ("no, scratch that", "latest"),
        ("don't remember that", "latest"),
    ],
)
def test_forgetting_as_people_say_it(text: str, scope: str | None) -> None:
    found = forgetting(text)
    assert (found.scope if found else None) == scope


@pytest.mark.parametrize("text", ["do you remember me?", "what did i just tell you", "what did I say?"])
def test_listing_as_people_ask_for_it(text: str) -> None:
    assert listing(text) == Wanted("all")
