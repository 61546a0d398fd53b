"""WOZ 2.0: recorded restaurant dialogues with a belief state per turn (Mrksic et al. 2017, arXiv:1606.03777)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memory.dialogue import DONTCARE, DialogueAct
from simulator.corpora.dialogues import (
    CorpusDialogue,
    CorpusError,
    CorpusTurn,
    derived_goal,
    ends_well,
    plain_value,
    read_json,
)
from simulator.corpora.phrases import system_acts, user_flow

__all__ = ["CorpusError", "WozDialogue", "WozTurn", "read_woz2", "woz2_dialogues"]

SLOTS = ("food", "area", "pricerange")
_SLOTS = {"price range": "pricerange"}


@dataclass(frozen=True, slots=True)
class WozTurn:
    """One user turn: the words, what the system said and did before, the goal so far and what was asked for.

    ``asked`` are slots the system asked about, ``proposed`` (slot, value) pairs it asked to confirm; ``goal`` maps
    slot to value (``dontcare`` included); ``requests`` are the attributes asked for and ``informs`` the slots
    informed in this turn.
    """

    transcript: str
    system_transcript: str
    asked: tuple[str, ...]
    proposed: tuple[tuple[str, str], ...]
    goal: Mapping[str, str]
    requests: frozenset[str]
    informs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WozDialogue:
    """One recorded dialogue."""

    number: int
    turns: tuple[WozTurn, ...]


def read_woz2(path: Path | str) -> tuple[WozDialogue, ...]:
    """Read a WOZ 2.0 file, plain or xz-compressed JSON; CorpusError names what is wrong and where."""
    file = Path(path)
    content = read_json(file)
    if not isinstance(content, list):
        raise CorpusError(f"{file}: expected a list of dialogues at the top level")
    return tuple(_dialogue(file, number, entry) for number, entry in enumerate(content))


def woz2_dialogues(path: Path | str) -> list[CorpusDialogue]:
    """A WOZ 2.0 file in the common form.

    Informs and requests are the annotated turn labels; goals are what the dialogue reveals. The system's questions
    and proposals are annotated; what it offers, tells or refuses, and the user's acts without a value, are read off
    the words (``simulator.corpora.phrases``).
    """
    return [_common(dialogue) for dialogue in read_woz2(path)]


def _common(dialogue: WozDialogue) -> CorpusDialogue:
    turns: list[CorpusTurn] = []
    wanted: frozenset[str] = frozenset()
    for turn in dialogue.turns:
        said = [DialogueAct("inform", slot, value) for slot, value in turn.informs.items()]
        said += [DialogueAct("request", name) for name in sorted(turn.requests)]
        flow = user_flow(turn.transcript, answered=DONTCARE in turn.informs.values())
        system = system_acts(turn.system_transcript, turn.asked, turn.proposed, wanted, SLOTS)
        turns.append(CorpusTurn(system, (*flow, *said), turn.system_transcript, turn.transcript))
        wanted = turn.requests
    return CorpusDialogue(f"woz2-{dialogue.number}", derived_goal(turns), tuple(turns), ends_well(turns))


def _dialogue(file: Path, number: int, entry: Any) -> WozDialogue:
    if not isinstance(entry, dict) or not isinstance(entry.get("dialogue"), list):
        raise CorpusError(f"{file}: dialogue {number} has no list `dialogue`")
    turns = []
    for position, turn in enumerate(entry["dialogue"]):
        try:
            turns.append(_turn(turn))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise CorpusError(f"{file}: dialogue {number}, turn {position}: unexpected form ({error!r})") from None
    return WozDialogue(int(entry.get("dialogue_idx", number)), tuple(turns))


def _turn(turn: dict[str, Any]) -> WozTurn:
    acts = turn["system_acts"]
    goal = {}
    for act in turn["belief_state"]:
        if act["act"] == "inform":
            slot, value = act["slots"][0]
            goal[_slot(slot)] = _value(value)
    return WozTurn(
        transcript=str(turn["transcript"]),
        system_transcript=str(turn["system_transcript"]),
        asked=tuple(_slot(act) for act in acts if isinstance(act, str)),
        proposed=tuple((_slot(act[0]), str(act[1])) for act in acts if not isinstance(act, str)),
        goal=goal,
        requests=frozenset(_slot(value) for slot, value in turn["turn_label"] if slot == "request"),
        informs={_slot(slot): _value(value) for slot, value in turn["turn_label"] if slot != "request"},
    )


def _slot(name: str) -> str:
    return _SLOTS.get(name, name)


def _value(value: Any) -> str:
    return DONTCARE if plain_value(value) == DONTCARE else str(value)
