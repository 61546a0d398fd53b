"""Rasa's training sentences: `[cheap](pricerange)`, `[inexpensive](pricerange:cheap)`, `[x]{"entity": ...}`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.assistant_yaml import AssistantError, YamlMap, did_you_mean, read_map
from memory.dialogue import Entity

_MARK = re.compile(r"\[(?P<text>[^\[\]]+)\](?:\((?P<short>[^()]*)\)|(?P<json>\{[^{}]*\}))")
_BLOCKS = ("intent", "synonym", "lookup", "regex")
_JSON_KEYS = ("entity", "value", "role", "group")


@dataclass(frozen=True, slots=True)
class Example:
    """One training sentence without its markup; ``entities`` carry code-point offsets into ``text``."""

    text: str
    intent: str
    entities: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class Training:
    """What data/*.yml teaches the NLU: sentences, synonyms (surface form -> value) and lookup lists per entity."""

    examples: tuple[Example, ...]
    synonyms: dict[str, str]
    lookups: dict[str, tuple[str, ...]]
    regexes: dict[str, tuple[str, ...]]


def read_training(files: list[Path], intents: frozenset[str], roles: dict[str, tuple[str, ...]]) -> Training:
    """Read the `nlu:` blocks of ``files``; AssistantError names file and line of whatever is wrong."""
    examples: list[Example] = []
    synonyms: dict[str, str] = {}
    lookups: dict[str, tuple[str, ...]] = {}
    regexes: dict[str, tuple[str, ...]] = {}
    for file in files:
        content = read_map(file, needed_for="training sentences")
        if "nlu" not in content or content["nlu"] is None:
            continue
        for block in content.take("nlu", "list").maps("nlu blocks"):
            kind, name, lines = _block(block)
            if kind == "intent":
                _check_intent(block, name, intents)
                examples.extend(_example(block.file, line, text, name, roles) for line, text in lines)
            elif kind == "synonym":
                synonyms.update({text.lower(): name for _, text in lines})
            elif kind == "lookup":
                lookups[name] = (*lookups.get(name, ()), *(text for _, text in lines))
            else:
                regexes[name] = (*regexes.get(name, ()), *_patterns(block.file, lines))
    return Training(tuple(examples), synonyms, lookups, regexes)


def parse_markup(text: str) -> tuple[str, list[dict[str, Any]]]:
    """Strip the annotations of one sentence; the dicts hold entity, value, role, start, end (ValueError if broken)."""
    plain, found, position = "", [], 0
    for match in _MARK.finditer(text):
        plain += text[position : match.start()]
        start = len(plain)
        plain += match["text"]
        found.append(_annotation(match) | {"start": start, "end": len(plain)})
        position = match.end()
    plain += text[position:]
    if re.search(r"\]\(|\]\{", plain):
        raise ValueError("an annotation is not closed: write [words](entity) or [words](entity:value)")
    return plain, found


def _annotation(match: re.Match[str]) -> dict[str, Any]:
    words = match["text"]
    if match["json"] is None:
        entity, _, value = match["short"].partition(":")
        return {"entity": entity.strip(), "value": value.strip() or words.lower(), "role": None}
    try:
        given = json.loads(match["json"])
    except json.JSONDecodeError as error:
        raise ValueError(f"{match['json']} is not JSON ({error.msg})") from None
    for key in given:
        if key not in _JSON_KEYS:
            raise ValueError(f"unknown key {key!r} in {match['json']}: {did_you_mean(key, _JSON_KEYS)}")
    if "entity" not in given:
        raise ValueError(f"{match['json']} names no entity")
    return {"entity": given["entity"], "value": str(given.get("value", words.lower())), "role": given.get("role")}


def _block(block: YamlMap) -> tuple[str, str, list[tuple[int, str]]]:
    block.only((*_BLOCKS, "examples"))
    kinds = [kind for kind in _BLOCKS if kind in block]
    if len(kinds) != 1:
        raise block.error(None, f"an nlu block needs exactly one of {', '.join(_BLOCKS)}", "Split or name the block")
    name = block.take(kinds[0], "str")
    examples = block.take("examples", "str")
    first = block.lines["examples"] + 1
    return kinds[0], name, list(_items(block.file, first, examples))


def _items(file: Path, first: int, examples: str) -> Iterator[tuple[int, str]]:
    for offset, raw in enumerate(examples.splitlines()):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if not line.startswith("-"):
            raise AssistantError(file, first + offset, f"an example must start with '- ': {line!r}", "Add the dash")
        text = line[1:].strip()
        if text:
            yield first + offset, text


def _patterns(file: Path, lines: list[tuple[int, str]]) -> Iterator[str]:
    for line, pattern in lines:
        try:
            re.compile(pattern)
        except re.error as error:
            raise AssistantError(file, line, f"not a regular expression: {error}", "Correct the pattern") from None
        yield pattern


def _check_intent(block: YamlMap, name: str, intents: frozenset[str]) -> None:
    if name.split("/", maxsplit=1)[0] not in intents:
        remedy = f"{did_you_mean(name, intents)} Otherwise add it to `intents` in domain.yml"
        raise block.error("intent", f"intent {name!r} is not in the domain", remedy)


def _example(file: Path, line: int, text: str, intent: str, roles: dict[str, tuple[str, ...]]) -> Example:
    try:
        plain, found = parse_markup(text)
    except ValueError as error:
        raise AssistantError(file, line, f"{error}", f"Correct the example {text!r}") from None
    entities = []
    for mark in found:
        name, role = mark["entity"], mark["role"]
        if name not in roles:
            remedy = f"{did_you_mean(name, roles)} Otherwise add it to `entities` in domain.yml"
            raise AssistantError(file, line, f"entity {name!r} is not in the domain", remedy)
        if role is not None and role not in roles[name]:
            problem = f"entity {name!r} has no role {role!r}"
            raise AssistantError(file, line, problem, f"List the role under `{name}` in domain.yml")
        entities.append(Entity(name, mark["value"], mark["start"], mark["end"], 1.0, "example", role))
    return Example(plain, intent, tuple(entities))
