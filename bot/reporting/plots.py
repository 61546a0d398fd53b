"""The report's plots as SVG in data URIs; needs matplotlib."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {"success": "#0b6e99", "containment": "#8a6d3b", "booking": "#3a7d44"}
LONGEST = 34
"""Characters of a label."""


def plots_of(report: dict[str, Any]) -> dict[str, str]:
    """Data URIs by section: ``days``, ``versions``, ``funnel``, ``failures``; none of an empty report."""
    if not report["dialogues"]:
        return {}
    found = {"days": _days(report), "versions": _versions(report), "funnel": _funnel(report["funnel"])}
    worth = [row for row in report["failures"] if row["worth"] is not None]
    return {**found, "failures": _worth(worth)} if worth else found


def _days(report: dict[str, Any]) -> str:
    rows = report["days"]
    figure, axes = _figure(3.0)
    for name in report["metrics"]:
        _points(axes, range(len(rows)), [row[name] for row in rows], name, joined=True)
    step = max(1, len(rows) // 10)
    axes.set_xticks(range(0, len(rows), step), [rows[i]["group"] for i in range(0, len(rows), step)], rotation=30)
    return _rates(figure, axes)


def _versions(report: dict[str, Any]) -> str:
    rows = report["versions"]
    figure, axes = _figure(3.0)
    names = list(report["metrics"])
    for k, name in enumerate(names):
        places = [i + 0.15 * (k - (len(names) - 1) / 2) for i in range(len(rows))]
        _points(axes, places, [row[name] for row in rows], name, joined=False)
    axes.set_xticks(range(len(rows)), [f"{_label(row['group'])}\n{row['dialogues']}" for row in rows])
    return _rates(figure, axes)


def _funnel(rows: Sequence[dict[str, Any]]) -> str:
    figure, axes = _figure(0.6 + 0.4 * len(rows))
    axes.barh([_label(row["stage"]) for row in rows], [row["count"] for row in rows], color=COLOURS["success"])
    axes.invert_yaxis()
    axes.set_xlabel("dialogues")
    return _uri(figure)


def _worth(rows: Sequence[dict[str, Any]]) -> str:
    figure, axes = _figure(0.8 + 0.4 * len(rows))
    values = [row["worth"] for row in rows]
    errors = [[row["worth"] - row["low"] for row in rows], [row["high"] - row["worth"] for row in rows]]
    axes.barh([_label(row["reason"]) for row in rows], values, xerr=errors, capsize=3, color="#b4532a")
    axes.axvline(0, color="#56616d", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("dialogues that would succeed besides")
    return _uri(figure)


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.5, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _points(axes: Axes, places: Sequence[float] | range, shares: Sequence[Any], name: str, *, joined: bool) -> None:
    rates = [share["rate"] for share in shares]
    errors = [[r - s["low"] for r, s in zip(rates, shares, strict=True)],
              [s["high"] - r for r, s in zip(rates, shares, strict=True)]]  # fmt: skip
    style = "-o" if joined else "o"
    axes.errorbar(list(places), rates, yerr=errors, fmt=style, capsize=3, label=name, color=COLOURS.get(name))


def _rates(figure: Figure, axes: Axes) -> str:
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    return _uri(figure)


def _label(text: str) -> str:
    """Short, and never mathematics: a dollar sign is one."""
    short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return "".join(letter if letter.isprintable() else "?" for letter in short).replace("$", r"\$")


def _uri(figure: Figure) -> str:
    held = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "report", "svg.fonttype": "none"}):
        figure.savefig(held, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(held.getvalue()).decode("ascii")
