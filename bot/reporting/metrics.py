"""Rates with intervals over dialogues: overall, by day, segment and version; where they fail and what that costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from typing import Any

from bot.reporting.dialogues import Dialogue, stage_names, stages

Z = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""
MOST_GROUPS = 12
"""Groups of a segment that are shown; the others are put together."""

Interval = tuple[float, float]


def wilson(count: int, of: int) -> Interval:
    """95 % score interval of a share (Wilson 1927); (0, 1) of nothing."""
    if of == 0:
        return 0.0, 1.0
    p, square = count / of, Z * Z
    center = (p + square / (2 * of)) / (1 + square / of)
    half = Z * sqrt(p * (1 - p) / of + square / (4 * of * of)) / (1 + square / of)
    return max(0.0, min(center - half, p)), min(1.0, max(center + half, p))


def difference(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, float, float]:
    """(estimate, low, high) of share ``second`` - share ``first``, each (count, of > 0); 95 % (Newcombe 1998)."""
    (p, (p_low, p_high)), (q, (q_low, q_high)) = ((c / n, wilson(c, n)) for c, n in (first, second))
    d = q - p
    return d, d - sqrt((q - q_low) ** 2 + (p_high - p) ** 2), d + sqrt((q_high - q) ** 2 + (p - p_low) ** 2)


def rate(count: int, of: int) -> dict[str, Any]:
    """A share with its interval; ``rate`` None of nothing."""
    low, high = wilson(count, of)
    return {"rate": count / of if of else None, "low": low, "high": high, "count": count, "of": of}


def metrics(found: Sequence[Dialogue], *, tasks: bool) -> dict[str, Any]:
    """Success, containment and, with ``tasks``, booking rate."""
    rates = {
        "success": rate(sum(d.success for d in found), len(found)),
        "containment": rate(sum(not d.handed_off for d in found), len(found)),
    }
    if tasks:
        rates["booking"] = rate(sum(d.booked for d in found), len(found))
    return rates


def report_of(found: Sequence[Dialogue], *, tasks: bool) -> dict[str, Any]:
    """Everything the page shows, as JSON (see ``docs/storage.md``)."""
    of: dict[str, Callable[[Dialogue], str]] = {
        "channel": lambda d: d.channel or "unknown",
        "first intent": lambda d: d.intent or "none",
        "mood": lambda d: d.mood,
    }
    days = _grouped(found, lambda d: d.day, tasks=tasks, most=None)
    return {
        "kind": "tasks" if tasks else "rasa",
        "dialogues": len(found),
        "conversations": len({d.conversation_id for d in found}),
        "first": min((d.started for d in found), default=None),
        "last": max((d.ended for d in found), default=None),
        "turns_per_dialogue": sum(d.turns for d in found) / len(found) if found else None,
        "metrics": metrics(found, tasks=tasks),
        "days": sorted(days, key=lambda row: str(row["group"])),
        "segments": {name: _grouped(found, key, tasks=tasks) for name, key in of.items()},
        "versions": _grouped(found, lambda d: d.version, tasks=tasks),
        "funnel": _funnel(found, tasks=tasks),
        "ends": _ends(found),
        "failures": failures(found),
    }


def _grouped(
    found: Iterable[Dialogue], key: Callable[[Dialogue], str], *, tasks: bool, most: int | None = MOST_GROUPS
) -> list[dict[str, Any]]:
    groups: dict[str, list[Dialogue]] = {}
    for dialogue in found:
        groups.setdefault(key(dialogue), []).append(dialogue)
    rows = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    shown, rest = (rows, []) if most is None or len(rows) <= most else (rows[: most - 1], rows[most - 1 :])
    if rest:
        shown = [*shown, (f"{len(rest)} others", [dialogue for _, members in rest for dialogue in members])]
    return [{"group": name, "dialogues": len(d), **metrics(d, tasks=tasks)} for name, d in shown]


def _funnel(found: Sequence[Dialogue], *, tasks: bool) -> list[dict[str, Any]]:
    reached = Counter(stage for dialogue in found for stage in stages(dialogue, tasks=tasks))
    return [{"stage": name, **rate(reached[name], len(found))} for name in stage_names(tasks=tasks)]


def _ends(found: Sequence[Dialogue]) -> list[dict[str, Any]]:
    """The acts after which nothing more came, those that most failed dialogues ended with first."""
    reached = Counter(act for dialogue in found for act in set(dialogue.acts))
    ended = Counter(dialogue.last_act for dialogue in found)
    failed = Counter(dialogue.last_act for dialogue in found if not dialogue.success)
    rows: list[dict[str, Any]] = [
        {"act": act, "reached": reached[act] or count, "ended": count, "failed": failed[act]}
        for act, count in ended.items()
    ]
    return sorted(rows, key=lambda row: (-row["failed"], -row["ended"], row["act"]))[: 2 * MOST_GROUPS]


def failures(found: Sequence[Dialogue]) -> list[dict[str, Any]]:
    """Per reason: its dialogues, how they and all others end, and what fixing it is worth in dialogues that succeed.

    worth = dialogues with it x (success of the others - success of these): it takes them to be alike otherwise.
    """
    rows = []
    for reason in sorted({reason for dialogue in found for reason in dialogue.failures}):
        hit = [d for d in found if reason in d.failures]
        others = [d for d in found if reason not in d.failures]
        with_it, without = ((sum(d.success for d in group), len(group)) for group in (hit, others))
        row: dict[str, Any] = {
            "reason": reason, "dialogues": len(hit), "success_after": with_it[0] / with_it[1],
            "success_otherwise": None, "worth": None, "low": None, "high": None,
        }  # fmt: skip
        if others:
            worth = [len(hit) * value for value in difference(with_it, without)]
            row |= {"success_otherwise": without[0] / without[1], "worth": worth[0], "low": worth[1], "high": worth[2]}
        rows.append(row)
    return sorted(rows, key=lambda row: (-(row["worth"] or 0.0), row["reason"]))
