"""TC-Bot's movie domain: user goals and the table of showings (Li et al. 2017, arXiv:1703.01008)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulator.corpora.dialogues import (
    NAME,
    CorpusDialogue,
    CorpusError,
    CorpusGoal,
    misshapen,
    plain_value,
    read_json,
)

_SLOTS = {"moviename": NAME}
OPEN_SLOTS = ("numberofpeople",)


def tcbot_dialogues(path: Path | str) -> list[CorpusDialogue]:
    """A file of user goals as dialogues without turns: they inform about what people want, not how they talk.

    ``inform_slots`` become constraints (the number of people a booking detail), ``request_slots`` requests. Every
    goal books: in this task a ticket is always wanted.
    """
    file = Path(path)
    content = read_json(file)
    if not isinstance(content, list):
        raise CorpusError(f"{file}: expected a list of goals at the top level; give a user_goals_*.json file")
    dialogues = []
    for number, entry in enumerate(content):
        try:
            dialogues.append(CorpusDialogue(f"tcbot-{number}", _goal(entry), ()))
        except (KeyError, TypeError, AttributeError) as error:
            raise misshapen(f"{file}: goal {number}", error) from None
    return dialogues


def _goal(entry: dict[str, Any]) -> CorpusGoal:
    informed = {_SLOTS.get(slot, slot): plain_value(value) for slot, value in entry["inform_slots"].items()}
    requests = tuple(_SLOTS.get(slot, slot) for slot in entry["request_slots"])
    constraints = {slot: value for slot, value in informed.items() if slot not in OPEN_SLOTS}
    details = {slot: value for slot, value in informed.items() if slot in OPEN_SLOTS}
    return CorpusGoal(constraints, requests, True, details)


def tcbot_table(path: Path | str) -> list[dict[str, str]]:
    """The rows of a ``movie_kb`` file (slot -> value, slots renamed as in the goals)."""
    file = Path(path)
    content = read_json(file)
    if not isinstance(content, dict) or not all(isinstance(row, dict) for row in content.values()):
        raise CorpusError(f"{file}: expected an object of rows; give a movie_kb.*.json file")
    return [{_SLOTS.get(k, k): plain_value(v) for k, v in row.items()} for row in content.values()]
