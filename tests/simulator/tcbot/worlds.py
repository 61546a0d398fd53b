"""Tasks for tests: a small one of our own, and the published one where it is at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.tcbot.actions import NAMES, TABLE_SLOTS
from simulator.tcbot.dialogues import MovieDialogues
from simulator.tcbot.settings import MovieSettings
from simulator.tcbot.task import FILES, MovieTask, find_task, load_task

SLOTS = (*TABLE_SLOTS, "numberofpeople", "taskcomplete", "ticket", "closing")
ACTS = ("request", "inform", "confirm_question", "confirm_answer", "closing", "thanks", "deny")


def contents() -> dict[str, Any]:
    """Two films in two towns: the first goal asks for nothing, the second for theater and time."""
    shows = [
        {"moviename": "Alpha", "city": "Rome", "date": "today", "theater": "Lux", "starttime": "8 pm"},
        {"moviename": "Alpha", "city": "Rome", "date": "today", "theater": "Lux", "starttime": "9 pm"},
        {"moviename": "Alpha", "city": "Rome", "date": "today", "theater": "Eden", "starttime": "9 pm"},
        {"moviename": "Beta", "city": "Oslo", "date": "friday", "theater": "Kino", "starttime": "7 pm"},
    ]
    return {
        "goals": [
            {
                "inform_slots": {"moviename": "beta", "city": "Oslo", "date": "friday", "numberofpeople": "2"},
                "request_slots": {},
            },
            {
                "inform_slots": {"moviename": "alpha", "city": "Rome", "numberofpeople": "3"},
                "request_slots": {"theater": "UNK", "starttime": "UNK"},
            },
        ],
        "table": {str(n): row for n, row in enumerate(shows)},
        "dictionary": {"city": ["Rome", "Oslo", "Bern"], "date": ["today", "friday"], "moviename": ["alpha", "beta"]},
        "slots": "\n".join(SLOTS),
        "acts": "\r\n".join(ACTS),
    }


def write(folder: Path, **changed: Any) -> Path:
    """The five files of the small task, some replaced (text as it is, else as JSON)."""
    for name, value in {**contents(), **changed}.items():
        (folder / FILES[name]).write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def published() -> MovieTask:
    """TC-Bot's task, or skip."""
    if not os.environ.get("REJOINDER_DATA"):
        pytest.skip("REJOINDER_DATA is not set: TC-Bot's task is not at hand")
    return load_task(find_task())


def with_goal(task: MovieTask, goal: int, settings: MovieSettings | None = None) -> MovieDialogues:
    """One dialogue whose user has that goal."""
    for seed in range(100):
        dialogues = MovieDialogues(task, settings or MovieSettings(), [seed])
        if dialogues.state.goal[0] == goal:
            return dialogues
    raise AssertionError(f"no seed gives goal {goal}")


def do(dialogues: MovieDialogues, *names: str) -> float:
    """Take the named actions everywhere; the sum of the first dialogue's rewards."""
    total = 0.0
    for name in names:
        actions = np.full(len(dialogues.all_rows), NAMES.index(name), dtype=np.int32)
        total += float(dialogues.step(actions)[0])
    return total
