"""Which variant is said, and with which words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rasa.project import RasaDomain, ResponseVariant
from bot.rasa.reading.loading import load_project
from bot.rasa.responses import bot_response, choose_variant, filled, says_something, spoken
from memory.dialogue import Button
from tests.bot.rasa.projects import PIZZA

DOMAIN = load_project(PIZZA).domain


def variant(text: str, channel: str | None = None, **conditions: Any) -> ResponseVariant:
    return ResponseVariant(text, {}, channel, tuple(conditions.items()))


def with_variants(*variants: ResponseVariant) -> RasaDomain:
    return replace(DOMAIN, responses={"utter_x": variants})


def chosen(domain: RasaDomain, slots: dict[str, Any], channel: str, seed: int = 0) -> str | None:
    found = choose_variant(domain, "utter_x", slots, channel, lambda: np.random.default_rng(seed))
    return found.text if found else None


@pytest.mark.parametrize(
    ("size", "channel", "text"),
    [
        ("large", "slack", "both"),
        ("small", "slack", "channel"),
        ("LARGE", "rest", "condition"),
        ("small", "rest", "plain"),
        (None, "rest", "plain"),
    ],
)
def test_channel_comes_before_condition_and_both_before_neither(size: str | None, channel: str, text: str) -> None:
    both, only = variant("both", "slack", size="large"), variant("condition", size="large")
    domain = with_variants(variant("plain"), only, variant("channel", "slack"), both)
    assert chosen(domain, {"size": size}, channel) == text


def test_chance_decides_inside_the_group_only() -> None:
    domain = with_variants(variant("a"), variant("b"), variant("c", "slack"))
    assert {chosen(domain, {}, "rest", seed) for seed in range(30)} == {"a", "b"}
    assert {chosen(domain, {}, "slack", seed) for seed in range(30)} == {"c"}


def test_nothing_fits() -> None:
    assert chosen(with_variants(variant("c", "slack"), variant("d", size="large")), {}, "rest") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{size} pizza", "large pizza"),
        ("{{size}} {size}", "{size} large"),
        ("{unknown} {size}", "{unknown} {size}"),
        ('/inform{"size": "small"}', '/inform{"size": "small"}'),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ('/inform{{"size": "{size}"}}', '/inform{"size": "large"}'),
        ("{{{size}}}", "{large}"),
        ("{missing}", "None"),
        ("{ toppings }", "{ toppings }"),
        ("{toppings}", "['ham']"),
        ("{size.upper} {0} {}", "{size.upper} {0} {}"),
    ],
)
def test_variables(text: str, said: str) -> None:
    assert filled(text, {"size": "large", "missing": None, "toppings": ["ham"]}) == said


@given(st.text(), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_any_text_can_be_filled_and_values_are_not_filled_again(text: str, variables: dict[str, str]) -> None:
    assert isinstance(filled(text, variables), str)
    assert filled("{a}", {"a": text, **{k: v for k, v in variables.items() if k != "a"}}) == text


def test_variables_are_filled_in_everything_but_metadata() -> None:
    parts = {
        "buttons": [{"title": "{size}", "payload": '/inform{{"size": "{size}"}}', "type": "web"}],
        "custom": {"deep": [{"value": "{size}"}, 3]},
        "image": "{size}.png",
        "attachment": {"payload": "{size}"},
    }
    told = spoken("utter_x", ResponseVariant(None, parts, metadata={"keep": "{size}"}), {"size": "large"})
    reply = bot_response(told)
    assert reply.buttons == (Button("large", '/inform{"size": "large"}'),)
    assert reply.custom == {"deep": [{"value": "large"}, 3]}
    assert reply.image == "large.png"
    assert reply.parts is not None
    assert reply.parts["attachment"] == {"payload": "large"}
    assert reply.parts["metadata"] == {"utter_action": "utter_x", "keep": "{size}"}
    assert reply.parts["buttons"][0]["type"] == "web"
    assert not says_something(bot_response({"text": "", "metadata": {"utter_action": "utter_x"}}))
