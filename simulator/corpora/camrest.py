"""CamRest676: 676 restaurant dialogues with their goals (Wen et al. 2017, EACL)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from memory.dialogue import DONTCARE, DialogueAct
from simulator.corpora.dialogues import (
    CorpusDialogue,
    CorpusGoal,
    CorpusTurn,
    derived_goal,
    misshapen,
    plain_value,
    read_json,
    read_json_lines,
)
from simulator.corpora.phrases import system_acts, user_flow
from simulator.corpora.woz2 import SLOTS

TABLE = "CamRest.json"
"""The corpus's table of venues; found beside the dialogues (plain or .xz) it tells names from other words."""


def camrest_dialogues(path: Path | str) -> list[CorpusDialogue]:
    """A CamRest676 file (one dialogue a line) in the common form.

    Goals, ``finished`` and the user's requests are annotated. The annotated informs accumulate over a dialogue, so
    those of a turn are what is new in it. The system's questions are annotated (``DA``); an offer is a sentence with
    the name of a venue of the table; the rest is read off the words (``simulator.corpora.phrases``).
    """
    file = Path(path)
    venues = _venues(file.parent)
    dialogues = []
    for number, entry in read_json_lines(file):
        try:
            dialogues.append(_dialogue(entry, venues))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise misshapen(f"{file}:{number}", error) from None
    return dialogues


def _venues(folder: Path) -> frozenset[str]:
    for table in (folder / TABLE, folder / f"{TABLE}.xz"):
        if table.exists():
            try:
                return frozenset(str(row["name"]).lower() for row in read_json(table, comments=True))
            except (KeyError, TypeError) as error:
                raise misshapen(str(table), error) from None
    return frozenset()


def _dialogue(entry: dict[str, Any], venues: Collection[str]) -> CorpusDialogue:
    turns: list[CorpusTurn] = []
    known: dict[str, str] = {}
    wanted: tuple[str, ...] = ()
    system: tuple[DialogueAct, ...] = ()
    text = ""
    for turn in entry["dial"]:
        informs, requests = _said(turn["usr"]["slu"])
        fresh = {slot: value for slot, value in informs.items() if known.get(slot) != value}
        known |= informs
        words = str(turn["usr"]["transcript"])
        acts = user_flow(words, answered=DONTCARE in fresh.values())
        acts += [DialogueAct("inform", slot, value) for slot, value in fresh.items()]
        acts += [DialogueAct("request", name) for name in requests]
        turns.append(CorpusTurn(system, tuple(acts), text, words))
        wanted, text = requests, str(turn["sys"]["sent"])
        system = system_acts(text, turn["sys"].get("DA", ()), (), wanted, SLOTS, venues)
    goal = entry["goal"]
    constraints = {str(slot): plain_value(value) for slot, value in goal["constraints"]}
    revealed = derived_goal(turns)
    return CorpusDialogue(
        f"camrest-{entry['dialogue_id']}",
        CorpusGoal(
            {slot: value for slot, value in constraints.items() if value != DONTCARE},
            tuple(str(name) for name in goal["request-slots"]),
            first_choice=revealed.first_choice,
        ),
        tuple(turns),
        bool(entry["finished"]),
    )


def _said(slu: list[dict[str, Any]]) -> tuple[dict[str, str], tuple[str, ...]]:
    informs: dict[str, str] = {}
    requests: dict[str, None] = {}
    for act in slu:
        for slot, value in act["slots"]:
            if act["act"] == "request":
                requests[str(value)] = None
            elif act["act"] == "inform":
                informs[str(slot)] = plain_value(value)
    return informs, tuple(requests)
