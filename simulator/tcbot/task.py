"""The files of TC-Bot's movie task: user goals, the table of showings, and the words that errors are made of."""

from __future__ import annotations

import json
import lzma
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILES = {
    "goals": "user_goals_first_turn_template.part.movie.v1.json",
    "table": "movie_kb.1k.json",
    "dictionary": "dicts.v3.json",
    "slots": "slot_set.txt",
    "acts": "dia_acts.txt",
}
"""What a folder must hold; the JSON files may be compressed (``.xz``)."""

TICKET, TASK_COMPLETE, MOVIE, PEOPLE = "ticket", "taskcomplete", "moviename", "numberofpeople"
REQUIRED_ACTS = ("request", "inform", "confirm_question", "confirm_answer", "thanks", "deny", "closing")

Row = Mapping[str, str]


class TaskError(ValueError):
    """A file of the task can't be used; the message names the file, the goal or row, and the remedy."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a user wants: ``constraints`` slot -> value, and ``requests``, the slots asked about beside the ticket."""

    constraints: Row
    requests: tuple[str, ...]


@dataclass(frozen=True)
class MovieTask:
    """The task as its files give it.

    ``slots`` and ``acts`` in the files' order, which is the order of the observation; ``table``: rows of strings;
    ``dictionary``: slot -> the values that a misheard one is replaced by.
    """

    slots: tuple[str, ...]
    acts: tuple[str, ...]
    goals: tuple[Goal, ...]
    table: tuple[Row, ...]
    dictionary: Mapping[str, tuple[str, ...]]


def find_task() -> Path:
    """The folder ``tcbot_movie`` where REJOINDER_DATA says; TaskError when there is none."""
    root = os.environ.get("REJOINDER_DATA")
    if not root:
        raise TaskError("set REJOINDER_DATA to the folder that holds tcbot_movie, or name the task's folder")
    folder = Path(root) / "tcbot_movie"
    if not folder.is_dir():
        raise TaskError(f"{folder}: no such folder: check REJOINDER_DATA, or name the task's folder")
    return folder


def load_task(folder: str | Path) -> MovieTask:
    """Read the five ``FILES`` of ``folder``; TaskError says what is wrong where."""
    folder = Path(folder)
    slots, acts = _lines(folder / FILES["slots"]), _lines(folder / FILES["acts"])
    _require(folder / FILES["slots"], "slot", slots, (TICKET, TASK_COMPLETE, MOVIE, PEOPLE))
    _require(folder / FILES["acts"], "act", acts, REQUIRED_ACTS)
    goals, table, dictionary = (_path(folder, FILES[name]) for name in ("goals", "table", "dictionary"))
    return MovieTask(slots, acts, _goals(goals, slots), _table(table), _dictionary(dictionary, slots))


def task_files(folder: str | Path) -> tuple[Path, ...]:
    """The five files of ``folder``, e.g. to tell whether they changed."""
    return tuple(_path(Path(folder), name) for name in FILES.values())


def _path(folder: Path, name: str) -> Path:
    packed = folder / f"{name}.xz"
    return packed if packed.exists() else folder / name


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (lzma.decompress(data) if path.suffix == ".xz" else data).decode("utf-8")
    except FileNotFoundError:
        raise TaskError(f"{path}: no such file: a task's folder holds {', '.join(FILES.values())}") from None
    except (OSError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise TaskError(f"{path}: can't be read ({error})") from None


def _json(path: Path) -> Any:
    try:
        return json.loads(_read(path))
    except json.JSONDecodeError as error:
        raise TaskError(f"{path}:{error.lineno}: not JSON ({error.msg})") from None


def _lines(path: Path) -> tuple[str, ...]:
    names = tuple(line.strip() for line in _read(path).splitlines() if line.strip())
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise TaskError(f"{path}: {twice!r} is listed twice: remove one")
    return names


def _require(path: Path, kind: str, names: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    for name in wanted:
        if name not in names:
            raise TaskError(f"{path}: {kind} {name!r} is missing: add a line with it")


def _strings(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(word, str) for word in value.values())


def _goals(path: Path, slots: tuple[str, ...]) -> tuple[Goal, ...]:
    data = _json(path)
    if not isinstance(data, list) or not data:
        raise TaskError(f"{path}: expected a list of goals that is not empty")
    goals = []
    for number, goal in enumerate(data, 1):
        if not isinstance(goal, dict) or not all(_strings(goal.get(key)) for key in ("inform_slots", "request_slots")):
            raise TaskError(f"{path}: goal {number} needs `inform_slots` and `request_slots`, objects of strings")
        for slot in (*goal["inform_slots"], *goal["request_slots"]):
            if slot not in slots:
                raise TaskError(f"{path}: goal {number}: unknown slot {slot!r}: list it in {FILES['slots']}")
        if not goal["inform_slots"]:
            raise TaskError(f"{path}: goal {number} has no constraint in `inform_slots`: give at least one")
        requests = tuple(slot for slot in goal["request_slots"] if slot != TICKET)
        goals.append(Goal(goal["inform_slots"], requests))
    return tuple(goals)


def _table(path: Path) -> tuple[Row, ...]:
    data = _json(path)
    rows = list(data.values()) if isinstance(data, dict) else data
    if not isinstance(rows, list) or not rows:
        raise TaskError(f"{path}: expected rows by number that are not empty")
    for number, row in enumerate(rows, 1):
        if not _strings(row):
            raise TaskError(f"{path}: row {number} must be an object of strings")
    return tuple(rows)


def _dictionary(path: Path, slots: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    data = _json(path)
    if not isinstance(data, dict):
        raise TaskError(f"{path}: expected an object with the values of each slot")
    words: dict[str, tuple[str, ...]] = {}
    for slot, values in data.items():
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            raise TaskError(f"{path}: slot {slot!r}: its values must be a list of strings that is not empty")
        if slot in slots:
            words[slot] = tuple(values)
    return words
