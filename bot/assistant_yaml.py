"""YAML 1.2 with line numbers, and the one error class of a broken assistant.

Files are composed into nodes and turned into plain values; mappings and lists remember the line of each entry, so
that every complaint can name file, line and remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

ALIASED = 20_000
"""Values that a file may have beyond one a character, which is more than there are without aliases."""
_TAG = "tag:yaml.org,2002:"
_NAMES = {"dict": "a mapping (key: value)", "list": "a list (- item)", "str": "a text", "number": "a number"}


class AssistantError(ValueError):
    """An assistant's file is broken: where (file, line), what (problem) and how to repair it (remedy).

    ``line`` counts from 1; 0 when the whole file is meant.
    """

    def __init__(self, file: Path | str, line: int, problem: str, remedy: str) -> None:
        self.file, self.line, self.problem, self.remedy = str(file), line, problem, remedy
        where = f"{file}:{line}" if line else str(file)
        super().__init__(f"{where}: {problem}. {remedy}")


class YamlMap(dict[str, Any]):
    """A mapping that knows its file, its own line and the line of each key."""

    def __init__(self, file: Path, line: int) -> None:
        super().__init__()
        self.file, self.line = file, line
        self.lines: dict[str, int] = {}

    def error(self, key: str | None, problem: str, remedy: str) -> AssistantError:
        """An error located at ``key`` (at the mapping itself when the key is absent)."""
        return AssistantError(self.file, self.lines.get(key or "", self.line), problem, remedy)

    def take(self, key: str, kind: str, default: Any = None, *, required: bool = True) -> Any:
        """The value of ``key``, checked to be ``dict``, ``list``, ``str`` or ``number``; AssistantError otherwise."""
        if key not in self:
            if not required:
                return default
            raise self.error(None, f"{key!r} is missing", f"Add `{key}:` with {_NAMES[kind]}")
        value = self[key]
        if kind == "str" and isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        expected: Any = {"dict": YamlMap, "list": YamlList, "str": str, "number": (int, float)}[kind]
        if not isinstance(value, expected) or isinstance(value, bool):
            raise self.error(key, f"{key!r} is {describe(value)}, expected {_NAMES[kind]}", f"Correct `{key}`")
        return value

    def only(self, allowed: Iterable[str]) -> None:
        """Refuse keys other than ``allowed`` with "did you mean"."""
        names = list(allowed)
        for key in self:
            if key not in names:
                raise self.error(key, f"unknown key {key!r}", did_you_mean(key, names))


class YamlList(list[Any]):
    """A list that knows its file and the line of each item."""

    def __init__(self, file: Path, line: int) -> None:
        super().__init__()
        self.file, self.line = file, line
        self.lines: list[int] = []

    def error(self, index: int, problem: str, remedy: str) -> AssistantError:
        """An error located at one item."""
        line = self.lines[index] if index < len(self.lines) else self.line
        return AssistantError(self.file, line, problem, remedy)

    def texts(self, what: str) -> tuple[str, ...]:
        """All items as texts; AssistantError when one is not."""
        for index, item in enumerate(self):
            if not isinstance(item, str):
                raise self.error(index, f"{what} must be texts, found {describe(item)}", 'Put it in quotes: "..."')
        return tuple(self)

    def maps(self, what: str) -> list[YamlMap]:
        """All items as mappings; AssistantError when one is not."""
        for index, item in enumerate(self):
            if not isinstance(item, YamlMap):
                raise self.error(index, f"{what} must be mappings, found {describe(item)}", "Write `- key: value`")
        return list(self)


def describe(value: object) -> str:
    """What a wrong value is, in words for an error message."""
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"{value!r}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remedy that proposes the most similar known name."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    shown = ", ".join(names[:14]) + (", ..." if len(names) > 14 else "")
    return f"Known here: {shown or 'nothing'}"


def read_text(path: Path, *, needed_for: str) -> str:
    """A UTF-8 file's text; AssistantError when it is missing, unreadable or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise AssistantError(path, 0, f"the file is missing ({needed_for})", f"Create {path.name}") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise AssistantError(path, line, "the file is not UTF-8", "Save it as UTF-8") from None
    except OSError as error:
        raise AssistantError(path, 0, f"the file can't be read: {error.strerror}", "Check the path") from None


def read_yaml(path: Path, *, needed_for: str) -> Any:
    """A YAML 1.2 file as YamlMap/YamlList/str/int/float/bool/None; AssistantError with the line otherwise."""
    text = read_text(path, needed_for=needed_for)
    try:
        node = YAML(typ="safe", pure=True).compose(text)
        room = iter(range(len(text) + ALIASED))
        return None if node is None else _plain(path, node, frozenset(), room)
    except AssistantError:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it can't be read"
        remedy = "Check indentation, quotes and colons on this line and the one before"
        raise AssistantError(path, mark.line + 1 if mark else 0, f"not valid YAML: {problem}", remedy) from None
    except (YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise AssistantError(path, 0, f"not valid YAML: {problem}", "Remove control characters") from None
    except RecursionError:
        raise AssistantError(path, 0, "the YAML is nested too deeply", "Flatten it") from None


def read_map(path: Path, *, needed_for: str) -> YamlMap:
    """Like ``read_yaml`` for a file whose top level must be a mapping."""
    value = read_yaml(path, needed_for=needed_for)
    if not isinstance(value, YamlMap):
        raise AssistantError(path, 1, f"the file is {describe(value)}, expected a mapping", "Write `key: value` lines")
    return value


def read_list(path: Path, *, needed_for: str) -> YamlList:
    """Like ``read_yaml`` for a file whose top level must be a list."""
    value = read_yaml(path, needed_for=needed_for)
    if not isinstance(value, YamlList):
        raise AssistantError(path, 1, f"the file is {describe(value)}, expected a list", "Start each entry with `- `")
    return value


def _plain(path: Path, node: Node, above: frozenset[int], room: Iterator[int]) -> Any:
    """``room`` is used up value by value: a few lines of aliases could stand for more than memory holds."""
    line = node.start_mark.line + 1
    if next(room, None) is None:
        raise AssistantError(path, line, "aliases (*name) make the file too large", "Write the values out")
    if id(node) in above:
        raise AssistantError(path, line, "an alias contains itself", "Write the value out")
    if isinstance(node, ScalarNode):
        return _scalar(path, node, line)
    above = above | {id(node)}
    if isinstance(node, MappingNode):
        mapping = YamlMap(path, line)
        for key_node, value_node in node.value:
            key_line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise AssistantError(path, key_line, "a key must be a single word or text", "Quote the key")
            key = str(key_node.value)
            if key in mapping:
                raise AssistantError(path, key_line, f"{key!r} is given twice", "Remove one of the two")
            mapping[key] = _plain(path, value_node, above, room)
            mapping.lines[key] = key_line
        return mapping
    items = YamlList(path, line)
    for item in node.value:
        items.append(_plain(path, item, above, room))
        items.lines.append(item.start_mark.line + 1)
    return items


def _scalar(path: Path, node: ScalarNode, line: int) -> Any:
    kind, text = str(node.tag).removeprefix(_TAG), str(node.value)
    try:
        if kind == "int":
            return int(text.replace("_", ""), 0) if text[:2].lower() in ("0x", "0o") else int(text)
        if kind == "float":
            return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise AssistantError(path, line, f"{text!r} is not a number", "Put it in quotes") from None
    if kind == "bool":
        return text.lower() == "true"
    return None if kind == "null" else text
