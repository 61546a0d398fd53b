from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.dialogue import (
    BotResponse,
    Button,
    Decision,
    DialogueAct,
    Entity,
    NLUResult,
    ScoredAct,
    SystemAct,
)
from memory.events import (
    Booked,
    BotUttered,
    Decided,
    Event,
    FeedbackGiven,
    HandedOff,
    MemoryAnswered,
    MemoryCleared,
    PreferenceStated,
    PreferenceWithdrawn,
    StatementRemembered,
    StatementsForgotten,
    UserUttered,
    event_from_json,
    event_to_json,
)
from tests.memory.event_factory import joined, turn

texts = st.text(max_size=40) | st.text(st.characters(categories=["Cs"]), max_size=3).map(joined)
optional = st.none() | texts
numbers = st.floats(allow_nan=False, allow_infinity=False)
probabilities = st.floats(0, 1)
acts = st.builds(DialogueAct, texts, optional, optional)
jsons: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
nlus = st.builds(
    NLUResult,
    text=texts,
    acts=st.lists(st.builds(ScoredAct, acts, probabilities), max_size=3).map(tuple),
    intents=st.lists(st.tuples(texts, probabilities), max_size=3).map(tuple),
    entities=st.lists(
        st.builds(Entity, texts, texts, st.integers(0), st.integers(0), probabilities, texts, optional), max_size=2
    ).map(tuple),
    sentiment=st.floats(-1, 1),
    out_of_scope=probabilities,
)
decisions = st.builds(
    Decision, texts, texts, texts, st.lists(numbers, max_size=4).map(tuple), st.lists(st.booleans()).map(tuple)
)
systems = st.none() | st.builds(
    SystemAct, texts, optional, optional, optional, optional, st.lists(texts, max_size=2).map(tuple)
)
responses = st.builds(
    BotResponse,
    texts,
    st.lists(st.builds(Button, texts, texts), max_size=2).map(tuple),
    optional,
    st.none() | st.dictionaries(texts, jsons, max_size=2),
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(UserUttered, numbers, texts, texts, texts, nlus),
    st.builds(Decided, numbers, decisions, systems, st.dictionaries(texts, numbers, max_size=3)),
    st.builds(BotUttered, numbers, st.lists(responses, max_size=2).map(tuple)),
    st.builds(Booked, numbers, texts, texts, st.dictionaries(texts, texts, max_size=2)),
    st.builds(HandedOff, numbers, texts),
    st.builds(FeedbackGiven, numbers, texts, st.sampled_from([1, -1]), texts),
    st.builds(StatementRemembered, numbers, texts),
    st.builds(StatementsForgotten, numbers, st.lists(texts, max_size=3).map(tuple)),
    st.builds(MemoryCleared, numbers),
    st.builds(
        MemoryAnswered,
        numbers,
        texts,
        optional,
        probabilities,
        st.lists(st.tuples(texts, numbers), max_size=2).map(tuple),
    ),
    st.builds(PreferenceStated, numbers, texts, texts),
    st.builds(PreferenceWithdrawn, numbers, texts),
)


@given(events)
def test_an_event_survives_its_json_and_gives_the_same_bytes_again(event: Event) -> None:
    text = event_to_json(event)
    again = event_from_json(text)
    assert again == event
    assert event_to_json(again) == text
    assert text.isascii()
    assert "\n" not in text


def test_masked_values_are_null_in_json_and_nan_in_memory() -> None:
    decided = turn()[1]
    body = json.loads(event_to_json(decided))
    assert body["type"] == "Decided"
    assert body["decision"]["values"] == [0.5, None]
    again = event_from_json(event_to_json(decided))
    assert isinstance(again, Decided)
    assert math.isnan(again.decision.values[1])


@pytest.mark.parametrize("text", ['{"type":"Levitated"}', '{"no":"type"}', '{"type":"HandedOff","timestamp":1}'])
def test_an_unknown_or_broken_event_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"newer version|broken HandedOff"):
        event_from_json(text)
