"""Responses: what the bot says, with all variants and parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.assistant_yaml import YamlList, YamlMap, describe
from bot.rasa.project import ResponseVariant
from bot.rasa.reading.files import Notes, check_known, plain

_PARTS = ("buttons", "image", "custom", "attachment", "elements", "quick_replies", "button_type")
_OWN = ("text", "channel", "condition", "metadata", "id")


def read_responses(entries: Mapping[str, tuple[YamlMap, Any]], notes: Notes) -> dict[str, tuple[ResponseVariant, ...]]:
    """Variants by response name; AssistantError for a response that says nothing or isn't a list of variants."""
    found: dict[str, tuple[ResponseVariant, ...]] = {}
    for name, (owner, variants) in entries.items():
        if isinstance(variants, str):
            variants = _listed(owner, name, variants)
        if not isinstance(variants, YamlList) or not variants:
            problem = f"response {name!r} is {describe(variants) if variants else 'empty'}, expected a list"
            raise owner.error(name, problem, "Write `- text: ...` lines below it")
        full = name
        if not name.startswith("utter_"):
            full = f"utter_{name}" if "/" in name else name  # format 2 wrote retrieval responses so
            notes.add(owner.file, owner.lines[name], f"response {name!r}", f"Rasa says utter_…; used as {full!r}")
        found[full] = tuple(_variant(name, variants, index, item, notes) for index, item in enumerate(variants))
    return found


def _listed(owner: YamlMap, name: str, text: str) -> YamlList:
    items = YamlList(owner.file, owner.lines[name])
    items.append(text)
    items.lines.append(owner.lines[name])
    return items


def _variant(name: str, owner: YamlList, index: int, item: Any, notes: Notes) -> ResponseVariant:
    if isinstance(item, str):
        return ResponseVariant(item, {})
    if not isinstance(item, YamlMap):
        raise owner.error(index, f"a variant of {name!r} is {describe(item)}", "Write `- text: ...`")
    check_known(item, (*_OWN, *_PARTS), notes)
    text = None if item.get("text") is None else str(item.take("text", "str"))
    parts = {key: plain(item[key]) for key in _PARTS if item.get(key) is not None}
    if text is None and not parts:
        raise item.error(None, f"a variant of {name!r} says nothing", f"Add `text:` or one of {', '.join(_PARTS)}")
    _check_buttons(name, item)
    metadata = item.get("metadata")
    return ResponseVariant(
        text,
        parts,
        channel=None if item.get("channel") is None else str(item["channel"]),
        conditions=_conditions(name, item),
        metadata=plain(metadata) if isinstance(metadata, YamlMap) else None,
        id=None if item.get("id") is None else str(item["id"]),
    )


def _check_buttons(name: str, item: YamlMap) -> None:
    if item.get("buttons") is None:
        return
    for button in item.take("buttons", "list").maps(f"buttons of {name!r}"):
        if "title" not in button:
            raise button.error(None, f"a button of {name!r} has no title", "Add `title:` and `payload:`")


def _conditions(name: str, item: YamlMap) -> tuple[tuple[str, Any], ...]:
    if item.get("condition") is None:
        return ()
    found = []
    for condition in item.take("condition", "list").maps(f"conditions of {name!r}"):
        condition.only(("type", "name", "value"))
        if condition.get("type", "slot") != "slot":
            raise condition.error("type", f"condition type {condition['type']!r}", "Only `slot` is known, as in Rasa")
        if "value" not in condition:
            raise condition.error(None, f"a condition of {name!r} has no value", "Add `value:`")
        found.append((condition.take("name", "str"), plain(condition["value"])))
    return tuple(found)
