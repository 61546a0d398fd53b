"""Training sentences, synonyms, lookup tables and regular expressions of a Rasa project, from YAML and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.assistant_yaml import AssistantError, YamlList, YamlMap, describe, did_you_mean, read_map, read_text
from bot.rasa.project import NluData, NluEntity, NluExample
from bot.rasa.reading.annotations import read_annotations
from bot.rasa.reading.files import Notes, check_version

_KINDS = ("intent", "synonym", "lookup", "regex")


@dataclass
class _Gathered:
    """NLU data while it is read."""

    examples: list[NluExample] = field(default_factory=list)
    synonyms: dict[str, str] = field(default_factory=dict)
    lookups: dict[str, list[str]] = field(default_factory=dict)
    regexes: dict[str, list[str]] = field(default_factory=dict)

    def done(self) -> NluData:
        return NluData(
            tuple(self.examples),
            self.synonyms,
            {name: tuple(dict.fromkeys(values)) for name, values in self.lookups.items()},
            {name: tuple(dict.fromkeys(values)) for name, values in self.regexes.items()},
        )


def read_nlu(parts: Sequence[YamlMap], json_files: Sequence[Path], notes: Notes) -> NluData:
    """The NLU data of all files together; AssistantError names file, line and remedy.

    An annotation with another value than its words is also a synonym, as in Rasa.
    """
    gathered = _Gathered()
    for part in parts:
        if part.get("nlu") is not None:
            for item in part.take("nlu", "list").maps("nlu items"):
                _item(item, gathered, notes)
    for path in json_files:
        _json_file(path, gathered)
    return gathered.done()


def read_nlu_file(path: Path) -> NluData:
    """The NLU data of one YAML file (format 3 or 2) or JSON file on its own."""
    notes = Notes(path.parent)
    if path.suffix == ".json":
        return read_nlu([], [path], notes)
    part = read_map(path, needed_for="NLU training")
    check_version(part, notes)
    return read_nlu([part], [], notes)


def _item(item: YamlMap, gathered: _Gathered, notes: Notes) -> None:
    kinds = [kind for kind in _KINDS if kind in item]
    if len(kinds) != 1:
        wrong = next((key for key in item if key not in (*_KINDS, "examples", "metadata")), None)
        remedy = did_you_mean(wrong, _KINDS) if wrong else f"Begin it with one of {', '.join(_KINDS)}"
        raise item.error(wrong, "an nlu item has no kind", remedy)
    item.only((kinds[0], "examples", "metadata"))
    name = item.take(kinds[0], "str").strip()
    if not name:
        raise item.error(kinds[0], f"a {kinds[0]} without name", f"Write `- {kinds[0]}: name`")
    for text, line in _texts(item, notes):
        if kinds[0] == "intent":
            _example(item.file, line, name, text, gathered)
        elif kinds[0] == "synonym":
            gathered.synonyms[text.lower()] = name
        elif kinds[0] == "lookup":
            gathered.lookups.setdefault(name, []).append(text)
        else:
            _check_regex(item.file, line, text)
            gathered.regexes.setdefault(name, []).append(text)


def _texts(item: YamlMap, notes: Notes) -> Iterator[tuple[str, int]]:
    """(text, line) of each example: lines `- text` of a block, or items of a list, plain or with `text:`."""
    value = item.get("examples")
    if value is None:
        notes.add(item.file, item.line, "an nlu item without examples", "nothing is learnt from it")
    elif isinstance(value, str):
        yield from _block(item, value, notes)
    elif isinstance(value, YamlList):
        for index, entry in enumerate(value):
            body = entry.take("text", "str") if isinstance(entry, YamlMap) else entry
            if not isinstance(body, str | int | float) or isinstance(body, bool):
                raise value.error(index, f"an example is {describe(entry)}, expected a text", 'Quote it: "..."')
            text = str(body).strip()
            if text:
                yield text, value.lines[index]
    else:
        raise item.error("examples", f"'examples' is {describe(value)}", "Write `examples: |` and `- text` lines")


def _block(item: YamlMap, value: str, notes: Notes) -> Iterator[tuple[str, int]]:
    start = item.lines["examples"]
    for offset, written in enumerate(value.splitlines(), start=1):
        text = written.strip()
        if text.startswith("-") and text[1:].strip():
            yield text[1:].strip(), start + offset
        elif text and text != "-":
            notes.add(item.file, start + offset, f"an example line without `- `: {text[:40]!r}", "left out, as in Rasa")


def _example(file: Path | str, line: int, intent: str, text: str, gathered: _Gathered) -> None:
    try:
        words, entities = read_annotations(text)
    except ValueError as error:
        raise AssistantError(file, line, str(error), 'Write [words]{"entity": "name", "role": "..."}') from None
    gathered.examples.append(NluExample(words, intent, entities))
    _teach(gathered, words, entities)


def _teach(gathered: _Gathered, words: str, entities: Iterable[NluEntity]) -> None:
    for entity in entities:
        surface = words[entity.start : entity.end]
        if entity.value != surface:
            gathered.synonyms.setdefault(surface.lower(), entity.value)


def _check_regex(file: Path | str, line: int, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise AssistantError(file, line, f"{pattern!r} is no regular expression: {error}", "Correct it") from None


def _json_file(path: Path, gathered: _Gathered) -> None:
    """Rasa's JSON format; the file is known to mention `rasa_nlu_data`."""
    text = read_text(path, needed_for="NLU training")
    try:
        data = json.loads(text)["rasa_nlu_data"]
        for number, example in enumerate(data.get("common_examples", []), start=1):
            gathered.examples.append(_json_example(path, number, example))
            _teach(gathered, gathered.examples[-1].text, gathered.examples[-1].entities)
        for entry in data.get("entity_synonyms", []):
            gathered.synonyms |= {str(surface).lower(): str(entry["value"]) for surface in entry["synonyms"]}
        for entry in data.get("lookup_tables", []):
            if isinstance(entry["elements"], str):
                raise AssistantError(path, 0, f"lookup table {entry['name']!r} is in another file", "List its elements")
            gathered.lookups.setdefault(str(entry["name"]), []).extend(str(x) for x in entry["elements"])
        for entry in data.get("regex_features", []):
            _check_regex(path, 0, str(entry["pattern"]))
            gathered.regexes.setdefault(str(entry["name"]), []).append(str(entry["pattern"]))
    except json.JSONDecodeError as error:
        raise AssistantError(path, error.lineno, f"not valid JSON: {error.msg}", "Correct this line") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise AssistantError(
            path, 0, f"not Rasa's JSON NLU format ({error})", "See Rasa's training data format"
        ) from None


def _json_example(path: Path, number: int, example: dict[str, Any]) -> NluExample:
    text = str(example["text"])
    entities = []
    for entity in example.get("entities", []):
        start, end = int(entity["start"]), int(entity["end"])
        if not 0 <= start < end <= len(text):
            problem = f"example {number}: entity {entity['entity']!r} spans {start} to {end} of {len(text)} characters"
            raise AssistantError(path, 0, problem, "Correct `start` and `end`")
        role, group = entity.get("role"), entity.get("group")
        entities.append(
            NluEntity(str(entity["entity"]), str(entity.get("value", text[start:end])), start, end, role, group)
        )
    return NluExample(text, str(example["intent"]), tuple(entities))
