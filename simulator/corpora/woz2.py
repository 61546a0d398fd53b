"""WOZ 2.0: recorded restaurant dialogues with a belief state per turn (Mrksic et al. 2017, arXiv:1606.03777)."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memory.dialogue import DONTCARE

_SLOTS = {"price range": "pricerange"}
_DONTCARE = ("dontcare", "dont care", "don't care", "any")


class CorpusError(ValueError):
    """A corpus file that can't be read; the message names file, dialogue and turn."""


@dataclass(frozen=True, slots=True)
class WozTurn:
    """One user turn: the words, what the system said and did before, the goal so far and what was asked for.

    ``asked`` are slots the system asked about, ``proposed`` (slot, value) pairs it asked to confirm; ``goal`` maps
    slot to value (``dontcare`` included); ``requests`` are the attributes asked for in this turn.
    """

    transcript: str
    system_transcript: str
    asked: tuple[str, ...]
    proposed: tuple[tuple[str, str], ...]
    goal: Mapping[str, str]
    requests: frozenset[str]


@dataclass(frozen=True, slots=True)
class WozDialogue:
    """One recorded dialogue."""

    number: int
    turns: tuple[WozTurn, ...]


def read_woz2(path: Path | str) -> tuple[WozDialogue, ...]:
    """Read a WOZ 2.0 file, plain or xz-compressed JSON; CorpusError names what is wrong and where."""
    file = Path(path)
    try:
        raw = lzma.decompress(file.read_bytes()) if file.suffix == ".xz" else file.read_bytes()
        content = json.loads(raw)
    except OSError as error:
        raise CorpusError(f"{file}: can't be read: {error.strerror or error}") from None
    except lzma.LZMAError:
        raise CorpusError(f"{file}: not an xz file; decompress it or give the .json") from None
    except UnicodeDecodeError:
        raise CorpusError(f"{file}: not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise CorpusError(f"{file}:{error.lineno}: not JSON: {error.msg}") from None
    if not isinstance(content, list):
        raise CorpusError(f"{file}: expected a list of dialogues at the top level")
    return tuple(_dialogue(file, number, entry) for number, entry in enumerate(content))


def _dialogue(file: Path, number: int, entry: Any) -> WozDialogue:
    if not isinstance(entry, dict) or not isinstance(entry.get("dialogue"), list):
        raise CorpusError(f"{file}: dialogue {number} has no list `dialogue`")
    turns = []
    for position, turn in enumerate(entry["dialogue"]):
        try:
            turns.append(_turn(turn))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CorpusError(f"{file}: dialogue {number}, turn {position}: unexpected form ({error!r})") from None
    return WozDialogue(int(entry.get("dialogue_idx", number)), tuple(turns))


def _turn(turn: dict[str, Any]) -> WozTurn:
    acts = turn["system_acts"]
    goal = {}
    for act in turn["belief_state"]:
        if act["act"] == "inform":
            slot, value = act["slots"][0]
            goal[_slot(slot)] = DONTCARE if value in _DONTCARE else str(value)
    return WozTurn(
        transcript=str(turn["transcript"]),
        system_transcript=str(turn["system_transcript"]),
        asked=tuple(_slot(act) for act in acts if isinstance(act, str)),
        proposed=tuple((_slot(act[0]), str(act[1])) for act in acts if not isinstance(act, str)),
        goal=goal,
        requests=frozenset(_slot(value) for slot, value in turn["turn_label"] if slot == "request"),
    )


def _slot(name: str) -> str:
    return _SLOTS.get(name, name)
