"""domain.yml: what can be said, what is remembered and how the bot words its replies (Rasa 3's format)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bot.assistant_yaml import AssistantError, YamlMap, describe, did_you_mean, read_map
from memory.dialogue import Button

_KEYS = (
    "version", "intents", "entities", "slots", "responses", "actions", "forms", "e2e_actions", "session_config",
)  # fmt: skip
_SLOT_TYPES = ("categorical", "text", "bool", "float", "list", "any")
_VARIANT_KEYS = ("text", "buttons", "image", "custom", "channel", "condition", "metadata", "id")

CORE_RESPONSES = (
    "utter_hello", "utter_bye", "utter_thankyou", "utter_reqmore", "utter_restart", "utter_cancel", "utter_help",
    "utter_apologise", "utter_handoff_offer", "utter_handoff", "utter_out_of_scope", "utter_ask_rephrase",
    "utter_offer", "utter_offer_none", "utter_alternative", "utter_no_alternative", "utter_answer_unknown",
    "utter_default",
)  # fmt: skip
"""Responses that every assistant needs, whatever its slots are."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One wording of a response; ``text`` may hold {placeholders}."""

    text: str
    buttons: tuple[Button, ...] = ()
    image: str | None = None


@dataclass(frozen=True)
class Domain:
    """domain.yml; ``entities`` maps an entity to its roles, ``slots`` a slot to its values (() unless categorical)."""

    file: Path
    intents: tuple[str, ...]
    entities: dict[str, tuple[str, ...]]
    slots: dict[str, tuple[str, ...]]
    responses: dict[str, tuple[Variant, ...]]
    actions: tuple[str, ...]
    lines: dict[str, int]


def read_domain(file: Path) -> Domain:
    """Read and check domain.yml; AssistantError names the line of whatever is wrong."""
    content = read_map(file, needed_for="intents, entities, slots and responses")
    content.only(_KEYS)
    responses = content.take("responses", "dict")
    slots = content.take("slots", "dict")
    return Domain(
        file=file,
        intents=tuple(_names(content, "intents")),
        entities=_names(content, "entities"),
        slots={name: _slot_values(slots, name) for name in slots},
        responses={name: _variants(responses, name) for name in responses},
        actions=content.take("actions", "list", required=False).texts("actions") if "actions" in content else (),
        lines={key: content.lines[key] for key in content},
    )


def check_responses(domain: Domain, needed: list[str]) -> None:
    """AssistantError for the first response that the assistant needs and domain.yml lacks."""
    for name in needed:
        if name not in domain.responses:
            raise AssistantError(
                domain.file,
                domain.lines.get("responses", 0),
                f"response {name!r} is missing",
                f"{did_you_mean(name, domain.responses)} Otherwise add `{name}:` with one or more `- text:`",
            )


def _names(content: YamlMap, key: str) -> dict[str, tuple[str, ...]]:
    """`- name` or `- name: {roles: [...]}` entries."""
    entries = content.take(key, "list")
    names: dict[str, tuple[str, ...]] = {}
    for index, entry in enumerate(entries):
        name, roles = entry, ()
        if isinstance(entry, YamlMap) and len(entry) == 1:
            name = next(iter(entry))
            options = entry[name]
            if isinstance(options, YamlMap) and "roles" in options:
                roles = options.take("roles", "list").texts("roles")
        if not isinstance(name, str):
            raise entries.error(index, f"{key} must be names, found {describe(entry)}", "Write `- name`")
        if name in names:
            raise entries.error(index, f"{name!r} is listed twice under {key}", "Remove one")
        names[name] = roles
    return names


def _slot_values(slots: YamlMap, name: str) -> tuple[str, ...]:
    slot = slots.take(name, "dict")
    kind = slot.take("type", "str")
    if kind not in _SLOT_TYPES:
        raise slot.error("type", f"slot {name!r} has the unknown type {kind!r}", did_you_mean(kind, _SLOT_TYPES))
    if kind != "categorical":
        return ()
    values: tuple[str, ...] = slot.take("values", "list").texts(f"values of slot {name!r}")
    if not values:
        raise slot.error("values", f"categorical slot {name!r} has no values", "List at least one")
    return values


def _variants(responses: YamlMap, name: str) -> tuple[Variant, ...]:
    entries = responses.take(name, "list")
    if not entries:
        raise responses.error(name, f"response {name!r} has no variants", 'Add `- text: "..."`')
    return tuple(_variant(entry, name) for entry in entries.maps(f"variants of {name!r}"))


def _variant(entry: YamlMap, name: str) -> Variant:
    entry.only(_VARIANT_KEYS)
    text = entry.take("text", "str", "", required="image" not in entry and "custom" not in entry)
    if text.count("{") != text.count("}") or re.search(r"\{[^}\w]*\}", text):
        raise entry.error("text", f"a {{placeholder}} of {name!r} is broken: {text!r}", "Write {name} in letters")
    buttons = []
    for button in entry.take("buttons", "list").maps("buttons") if "buttons" in entry else ():
        button.only(("title", "payload", "type", "url"))
        buttons.append(Button(button.take("title", "str"), button.take("payload", "str")))
    return Variant(text, tuple(buttons), entry.take("image", "str", required=False))
