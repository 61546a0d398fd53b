from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.shortcuts import parse_shortcut
from memory.ontology import Ontology

ONTOLOGY = Ontology(
    name="t",
    constraints={"food": ("thai", "chinese"), "area": ("north", "south")},
    requestable=("phone",),
    open_slots=("time",),
    entities={"name": ("A", "B"), "food": ("thai", "chinese"), "area": ("north", "south"), "phone": ("1", "2")},
)


@pytest.mark.parametrize(
    ("text", "acts"),
    [
        ('/inform{"food": "thai"}', ["inform(food=thai)"]),
        ('/inform{"food": "dontcare", "time": "19:00"}', ["inform(food=dontcare)", "inform(time=19:00)"]),
        ('/request{"attribute": "phone"}', ["request(phone)"]),
        ('/deny{"food": "thai"}', ["deny(food=thai)"]),
        ('/inform{"venue": "A"}', ["inform(name=A)"]),
        ("/affirm", ["affirm()"]),
        ("/faq/dogs", ["faq(dogs)"]),
        ("/dontcare", ["inform(=dontcare)"]),
        ('/inform{"food": "martian"}', []),
    ],
)
def test_shortcuts(text: str, acts: list[str]) -> None:
    result = parse_shortcut(text, ONTOLOGY)
    assert result is not None
    assert [str(scored.act) for scored in result.acts] == acts


@pytest.mark.parametrize("text", ["hello", "/fly", "/inform{broken", "/inform[1]", "/ affirm", "", "/inform{}x"])
def test_what_is_no_shortcut_is_plain_text(text: str) -> None:
    assert parse_shortcut(text, ONTOLOGY) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_never_raises(name: str, body: str) -> None:
    parse_shortcut(f"/{name}{{{body}}}", ONTOLOGY)
    parse_shortcut(body, ONTOLOGY)


def test_deeply_nested_json() -> None:
    parse_shortcut("/inform{" + '"a":[' * 10_000 + "}", ONTOLOGY)
