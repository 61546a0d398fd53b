"""Recorded dialogues in one common form, whatever corpus they come from.

User acts use the types of ``memory.dialogue.USER_ACT_TYPES``. System acts use ``request(slot)``,
``confirm(slot=value)``, ``offer(name=...)``, ``offer_none()``, ``inform(attribute=value)``, ``confirm_booking()``,
``booked()``, ``booking_failed()``, ``offer_booking()``, ``reqmore()`` and ``bye()``.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from memory.dialogue import DONTCARE, DialogueAct

NAME = "name"
"""The slot that names a venue in every corpus (``restaurant_name``, ``moviename``, ... become this)."""

_DONTCARE = ("dontcare", "dont care", "don't care", "do n't care", "dont_care", "any")


class CorpusError(ValueError):
    """A corpus that can't be read; the message names file and line or dialogue, the field, and the remedy."""


@dataclass(frozen=True, slots=True)
class CorpusGoal:
    """What a person wanted: ``constraints`` slot -> value, attributes to ask for, whether to book, and how.

    ``details`` are booking details (open slots); ``first_choice`` holds the constraints that were wanted first and
    replaced when nothing matched, as far as the corpus tells.
    """

    constraints: Mapping[str, str]
    requests: tuple[str, ...] = ()
    books: bool = False
    details: Mapping[str, str] = field(default_factory=dict)
    first_choice: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CorpusTurn:
    """What the system did and said, and what the user answered; the first turn's system side is usually empty."""

    system: tuple[DialogueAct, ...]
    user: tuple[DialogueAct, ...]
    system_text: str = ""
    user_text: str = ""


@dataclass(frozen=True, slots=True)
class CorpusDialogue:
    """One recorded dialogue; ``turns`` is empty for corpora of goals. ``completed``: it ended as the user wished."""

    id: str
    goal: CorpusGoal
    turns: tuple[CorpusTurn, ...]
    completed: bool = True


def fingerprint(dialogues: Sequence[CorpusDialogue]) -> str:
    """A short hash of everything in ``dialogues``, so that a fitted user can say what it was fitted on."""
    content = json.dumps([asdict(dialogue) for dialogue in dialogues], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def split(
    dialogues: Sequence[CorpusDialogue], share: float, purpose: str
) -> tuple[list[CorpusDialogue], list[CorpusDialogue]]:
    """Two parts, the second with about ``share`` of the dialogues; a dialogue's part depends on its words alone.

    The same dialogue under another id, or in a longer corpus, falls into the same part. Splits for different
    ``purpose``s are independent of each other.
    """
    parts: tuple[list[CorpusDialogue], list[CorpusDialogue]] = ([], [])
    for dialogue in dialogues:
        said = [(turn.user_text, [str(act) for act in turn.user]) for turn in dialogue.turns]
        digest = hashlib.sha256(json.dumps([purpose, said or dialogue.id]).encode()).digest()
        parts[int.from_bytes(digest[:4], "big") < share * 2**32].append(dialogue)
    return parts


def derived_goal(turns: Sequence[CorpusTurn], open_slots: Sequence[str] = ()) -> CorpusGoal:
    """The goal that ``turns`` reveal where none is annotated: last values, all questions, first values replaced."""
    last: dict[str, str] = {}
    first: dict[str, str] = {}
    requests: dict[str, None] = {}
    books = False
    for turn in turns:
        for act in turn.user:
            if act.type == "inform" and act.slot not in (None, NAME) and act.value is not None:
                first.setdefault(str(act.slot), act.value)
                last[str(act.slot)] = act.value
            elif act.type == "request" and act.slot:
                requests[act.slot] = None
            books |= act.type == "book"
    constraints = {slot: value for slot, value in last.items() if slot not in open_slots and value != DONTCARE}
    replaced = {
        slot: value
        for slot, value in first.items()
        if slot not in open_slots and DONTCARE not in (value, last[slot]) and value != last[slot]
    }
    details = {slot: value for slot, value in last.items() if slot in open_slots}
    return CorpusGoal(constraints, tuple(requests), books or bool(details), details, replaced)


def ends_well(turns: Sequence[CorpusTurn]) -> bool:
    """Whether the last turn wants nothing more: no wish, no question, nothing refused."""
    return bool(turns) and not {act.type for act in turns[-1].user} & {"inform", "request", "reqalts", "deny", "book"}


def plain_value(value: Any) -> str:
    """A value in its usual spelling: lower case, one space, ``dontcare`` in one form."""
    text = " ".join(str(value).lower().split())
    return DONTCARE if text in _DONTCARE else text


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked when its name ends in .xz; CorpusError when it can't be read."""
    try:
        raw = path.read_bytes()
        return lzma.decompress(raw) if path.suffix == ".xz" else raw
    except OSError as error:
        raise CorpusError(f"{path}: can't be read: {error.strerror or error}") from None
    except lzma.LZMAError:
        raise CorpusError(f"{path}: not an xz file; decompress it or give the .json") from None


def read_text(path: Path) -> str:
    """The content of a UTF-8 file, unpacked when its name ends in .xz; CorpusError otherwise."""
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise CorpusError(f"{path}: not UTF-8 text; convert it to UTF-8") from None


def read_json(path: Path, *, comments: bool = False) -> Any:
    """One JSON document, with ``comments`` after lines that begin with #; CorpusError names the line."""
    text = read_text(path)
    if comments:
        text = "\n".join("" if line.startswith("#") else line for line in text.split("\n"))
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CorpusError(f"{path}:{error.lineno}: not JSON: {error.msg}; repair or fetch the file again") from None


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, object) of a file with one JSON object a line; blank lines are skipped."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise CorpusError(f"{path}:{number}: not JSON: {error.msg}; repair or remove the line") from None
        if not isinstance(entry, dict):
            raise CorpusError(f"{path}:{number}: expected one JSON object a line; repair or remove the line")
        yield number, entry


def misshapen(where: str, error: Exception) -> CorpusError:
    """The CorpusError for an entry whose form is not the corpus's; names the missing field when that is the cause."""
    what = f"no field {error}" if isinstance(error, KeyError) else f"unexpected form ({error})"
    return CorpusError(f"{where}: {what}; see the corpus's own documentation of the field, or remove the entry")
