"""task.yml and the files beside it: the entity table, the FAQ and the held-out sentences."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.assistant_domain import Domain
from bot.assistant_yaml import AssistantError, YamlMap, did_you_mean, read_list, read_map, read_text
from bot.preferences import Preference, check_preferences, read_preferences
from memory.dialogue import USER_ACT_TYPES, DialogueAct, SystemAct
from memory.ontology import Ontology, OntologyError
from memory.turn import SYSTEM_KINDS

_KEYS = (
    "version", "name", "city", "table", "constraints", "requestable", "booking", "faq", "user_phrases", "validation",
    "handoff_phone", "preferences",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FaqEntry:
    """One frequently asked question: its phrasings and its answers."""

    id: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A sentence for measuring: what it means, and the system act it answers, if any."""

    text: str
    acts: tuple[DialogueAct, ...]
    after: SystemAct | None
    line: int


@dataclass(frozen=True)
class Task:
    """task.yml: what constrains the choice (with priors and phrases), what can be asked, what booking needs."""

    file: Path
    name: str
    city: str
    table: Path
    key: str
    constraint_priors: dict[str, float]
    phrases: dict[str, str]
    requestable: tuple[str, ...]
    booking_slots: tuple[str, ...]
    booking_prior: float
    party_limit: int
    handoff_phone: str
    faq: Path | None
    user_phrases: Path | None
    validation: Path | None
    preferences: tuple[Preference, ...] = ()


def read_task(file: Path) -> Task:
    """Read and check task.yml on its own; AssistantError names the line of whatever is wrong."""
    content = read_map(file, needed_for="what constrains the choice and what can be asked")
    content.only(_KEYS)
    table = content.take("table", "dict")
    table.only(("file", "key"))
    booking = content.take("booking", "dict", YamlMap(file, 0), required=False)
    booking.only(("slots", "prior", "party_limit"))
    constraints = content.take("constraints", "dict")
    for name in constraints:
        constraints.take(name, "dict").only(("prior", "phrase"))
    return Task(
        file=file,
        name=content.take("name", "str"),
        city=content.take("city", "str", "", required=False),
        table=file.parent / table.take("file", "str"),
        key=table.take("key", "str"),
        constraint_priors={name: _probability(constraints[name], "prior", 0.5) for name in constraints},
        phrases={name: constraints[name].take("phrase", "str", "{value}", required=False) for name in constraints},
        requestable=content.take("requestable", "list").texts("requestable"),
        booking_slots=booking.take("slots", "list").texts("booking slots") if booking else (),
        booking_prior=_probability(booking, "prior", 0.0),
        party_limit=int(booking.take("party_limit", "number", 12, required=False)),
        handoff_phone=content.take("handoff_phone", "str", "", required=False),
        **{name: _beside(content, name) for name in ("faq", "user_phrases", "validation")},
        preferences=read_preferences(content),
    )


def _probability(where: YamlMap, key: str, default: float) -> float:
    value = float(where.take(key, "number", default, required=False))
    if not 0.0 <= value <= 1.0:
        raise where.error(key, f"{key!r} is {value:g}, expected a probability", "Write a number from 0 to 1")
    return value


def _beside(content: YamlMap, key: str) -> Path | None:
    name = content.take(key, "str", required=False)
    return content_path(content, name) if name is not None else None


def content_path(content: YamlMap, name: str) -> Path:
    """A file named in task.yml, relative to it."""
    return content.file.parent / name


def build_ontology(task: Task, domain: Domain) -> Ontology:
    """Compile task, domain and table; AssistantError names the file and line of a contradiction."""
    lines = read_map(task.file, needed_for="the task")
    for slot in task.constraint_priors:
        if not domain.slots.get(slot):
            known = [name for name, values in domain.slots.items() if values]
            remedy = f"{did_you_mean(slot, known)} Otherwise add the slot with `type: categorical` to domain.yml"
            raise lines["constraints"].error(slot, f"constraint {slot!r} is no categorical slot of the domain", remedy)
    for index, slot in enumerate(task.booking_slots):
        if slot not in domain.slots:
            problem = f"booking slot {slot!r} is not in the domain"
            raise lines["booking"]["slots"].error(index, problem, did_you_mean(slot, domain.slots))
    constraints = {slot: domain.slots[slot] for slot in task.constraint_priors}
    columns = _read_table(task, constraints, lines)
    check_preferences(lines, task.preferences, columns)
    try:
        return Ontology(task.name, constraints, task.requestable, task.booking_slots, columns, task.key)
    except OntologyError as error:
        raise AssistantError(task.file, 0, str(error), "Correct the task, the domain or the table") from None


def _read_table(task: Task, constraints: Mapping[str, tuple[str, ...]], lines: YamlMap) -> dict[str, tuple[str, ...]]:
    text = read_text(task.table, needed_for="the entity table of task.yml")
    reader = csv.reader(io.StringIO(text), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise AssistantError(task.table, reader.line_num, f"not valid CSV: {error}", "Check the quotes") from None
    if len(rows) < 2:
        raise AssistantError(task.table, 0, "the table has no rows", "Add a header line and one line per entity")
    header = rows[0][1]
    for column in (task.key, *constraints, *task.requestable):
        if column not in header:
            remedy = f"{did_you_mean(column, header)} Otherwise add the column"
            raise AssistantError(task.table, rows[0][0], f"the table has no column {column!r}", remedy)
    seen: dict[str, int] = {}
    for line, cells in rows[1:]:
        _check_row(task, constraints, header, line, cells)
        name = cells[header.index(task.key)].lower()
        if name in seen:
            problem = f"{name!r} is listed twice (first on line {seen[name]})"
            raise AssistantError(task.table, line, problem, "Remove or rename one")
        seen[name] = line
    return {column: tuple(cells[i] for _, cells in rows[1:]) for i, column in enumerate(header)}


def _check_row(
    task: Task, constraints: Mapping[str, tuple[str, ...]], header: list[str], line: int, cells: list[str]
) -> None:
    if len(cells) != len(header):
        problem = f"the row has {len(cells)} cells, the header {len(header)}"
        raise AssistantError(task.table, line, problem, "Put cells that hold commas in quotes")
    if not cells[header.index(task.key)]:
        raise AssistantError(task.table, line, f"the row has no {task.key}", "Fill it in")
    for slot, values in constraints.items():
        cell = cells[header.index(slot)]
        if cell not in values:
            remedy = f"{did_you_mean(cell, values)} Otherwise add it to the values of slot {slot!r} in domain.yml"
            raise AssistantError(task.table, line, f"unknown {slot} {cell!r}", remedy)


def read_faq(file: Path) -> tuple[FaqEntry, ...]:
    """Read the FAQ list; AssistantError names the line of whatever is wrong."""
    entries: dict[str, FaqEntry] = {}
    for entry in read_list(file, needed_for="frequently asked questions").maps("FAQ entries"):
        entry.only(("id", "questions", "answer"))
        name = entry.take("id", "str")
        if name in entries:
            raise entry.error("id", f"FAQ {name!r} is listed twice", "Rename or join them")
        questions = entry.take("questions", "list").texts("questions")
        given = entry.get("answer")
        answers = (given,) if isinstance(given, str) else entry.take("answer", "list").texts("answers")
        if not questions or not answers:
            raise entry.error(None, f"FAQ {name!r} needs questions and an answer", "Add what is missing")
        entries[name] = FaqEntry(name, questions, answers)
    return tuple(entries.values())


def read_held_out(file: Path) -> tuple[HeldOut, ...]:
    """Read validation.yml; AssistantError names the line of an act that is not one."""
    sentences = []
    for entry in read_list(file, needed_for="held-out sentences").maps("held-out sentences"):
        entry.only(("text", "after", "acts"))
        listed = entry.take("acts", "list")
        acts = []
        for index, text in enumerate(listed.texts("acts")):
            try:
                act = DialogueAct.parse(text)
            except ValueError as error:
                raise listed.error(index, str(error), "Correct the act") from None
            if act.type not in USER_ACT_TYPES:
                raise listed.error(index, f"unknown act {act.type!r}", did_you_mean(act.type, USER_ACT_TYPES))
            acts.append(act)
        after = parse_system_act(entry.take("after", "str")) if entry.get("after") else None
        if entry.get("after") and after is None:
            raise entry.error("after", f"unknown system act {entry['after']!r}", did_you_mean("", SYSTEM_KINDS))
        sentences.append(HeldOut(entry.take("text", "str"), tuple(acts), after, entry.line))
    return tuple(sentences)


def parse_system_act(text: str, open_slots: tuple[str, ...] = ()) -> SystemAct | None:
    """Read ``request(area)``, ``confirm(food=thai)``, ``select(food=thai,food=chinese)``...; None when unknown.

    ``request(time)`` becomes ``request_open(time)`` when the slot is one of ``open_slots``.
    """
    try:
        act = DialogueAct.parse(text)
    except ValueError:
        return None
    if act.type not in SYSTEM_KINDS:
        return None
    kind = "request_open" if act.type == "request" and act.slot in open_slots else act.type
    value, _, other = (act.value or "").partition(f",{act.slot}=")
    return SystemAct(kind, act.slot, value or None, other or None)
