"""What a project says: a variant of a response chosen and its variables filled in, as Rasa's generator does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bot.rasa.project import RasaDomain, ResponseVariant
from memory.dialogue import BotResponse, Button

_VARIABLE = re.compile(r"\{\{|\}\}|\{(?P<name>[^\n{}]+)\}")
_PARTS = ("attachment", "elements", "quick_replies", "button_type")

Randomness = Callable[[], np.random.Generator]
"""Gives the turn's generator; asked only where there is a choice."""


def choose_variant(
    domain: RasaDomain, name: str, slots: Mapping[str, Any], channel: str, rng: Randomness
) -> ResponseVariant | None:
    """One variant of response ``name``; None when it has none for these slots and this channel.

    Variants for the channel come before those for all, then those whose conditions hold before those without; inside
    the group chance decides.
    """
    variants = [v for v in domain.responses.get(name, ()) if v.channel in (None, channel) and _holds(v, slots)]
    if not variants:
        return None
    if len(variants) > 1:
        best = max(_rank(variant) for variant in variants)
        variants = [variant for variant in variants if _rank(variant) == best]
    return variants[0] if len(variants) == 1 else variants[int(rng().integers(len(variants)))]


def _rank(variant: ResponseVariant) -> tuple[bool, bool]:
    return variant.channel is not None, bool(variant.conditions)


def _holds(variant: ResponseVariant, slots: Mapping[str, Any]) -> bool:
    return all(_folded(slots.get(name)) == _folded(value) for name, value in variant.conditions)


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def spoken(name: str, variant: ResponseVariant, variables: Mapping[str, Any]) -> dict[str, Any]:
    """A variant with its variables filled in, in Rasa's JSON; a name that is no variable stays as it stands."""
    fields = filled({"text": variant.text, **variant.parts}, variables)
    return {**fields, "metadata": {"utter_action": name, **(variant.metadata or {})}}


def bot_response(fields: Mapping[str, Any]) -> BotResponse:
    """What Rasa's JSON of a response says: text, buttons, image, custom, and the other parts as they are."""
    buttons = [button for button in fields.get("buttons") or () if isinstance(button, Mapping)]
    parts = {key: fields[key] for key in (*_PARTS, "metadata") if fields.get(key)}
    if any(set(button) - {"title", "payload"} for button in buttons):
        parts["buttons"] = [dict(button) for button in buttons]
    return BotResponse(
        text=str(fields.get("text") or ""),
        buttons=tuple(_button(button) for button in buttons),
        image=fields.get("image") or None,
        custom=dict(fields["custom"]) if fields.get("custom") else None,
        parts=parts or None,
    )


def _button(button: Mapping[str, Any]) -> Button:
    title = str(button.get("title") or "")
    payload = button.get("payload")
    return Button(title, title if payload is None else str(payload))


def says_something(reply: BotResponse) -> bool:
    """Whether there is anything to show."""
    shown = set(reply.parts or ()) - {"metadata", "button_type"}
    return bool(reply.text or reply.buttons or reply.image or reply.custom or shown)


def filled(value: Any, variables: Mapping[str, Any]) -> Any:
    """``value`` with ``{name}`` replaced in every text inside it; ``{{`` and ``}}`` stand for braces.

    A text that names something else in braces stays as it is, braces included: it is JSON, or a mistake to be seen.
    """
    if isinstance(value, str):
        return _filled_text(value, variables) if "{" in value else value
    if isinstance(value, Mapping):
        return {key: filled(item, variables) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [filled(item, variables) for item in value]
    return value


def _filled_text(text: str, variables: Mapping[str, Any]) -> str:
    names = {match["name"] for match in _VARIABLE.finditer(text) if match["name"] is not None}
    if not names <= variables.keys():
        return text
    return _VARIABLE.sub(lambda m: m.group(0)[0] if m["name"] is None else str(variables[m["name"]]), text)
