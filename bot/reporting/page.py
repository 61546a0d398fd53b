"""The report as one HTML page that needs no other file: tables, and plots where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

TINY = 30
"""Below so many dialogues the page warns that its intervals are wide."""

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2733;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem;border-top:1px solid #d8dee4;padding-top:1rem}
table{border-collapse:collapse;margin:.6rem 0;width:100%}caption{text-align:left;color:#56616d}
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid #e6eaee;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left}th{color:#56616d;font-weight:600}img{max-width:100%}
.figures{display:flex;flex-wrap:wrap;gap:1rem}.figure{border:1px solid #d8dee4;border-radius:.5rem;padding:.8rem 1.2rem}
.figure b{display:block;font-size:1.7rem}.note{color:#56616d}
"""


def html_page(report: dict[str, Any], title: str, plots: dict[str, str]) -> str:
    """The page of ``report`` (``bot.reporting.metrics.report_of``); ``plots`` are data URIs by section."""
    parts = [f"<h1>{escape(title)}</h1>", _about(report)]
    if report["dialogues"]:
        parts += [_figures(report["metrics"]), *_sections(report, plots)]
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return (
        f"<!doctype html>\n<html lang=en><head>{head}<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _about(report: dict[str, Any]) -> str:
    count = report["dialogues"]
    if not count:
        return "<p>No dialogues yet: nothing was said in this period.</p>"
    text = (
        f"{count} dialogues in {report['conversations']} conversations, {_day(report['first'])} to "
        f"{_day(report['last'])} (UTC), {report['turns_per_dialogue']:.1f} turns each. Intervals are 95 %."
    )
    warning = " <b>So few dialogues say little: look at the intervals.</b>" if count < TINY else ""
    return f'<p class="note">{text}{warning}</p>'


def _figures(metrics: dict[str, Any]) -> str:
    figures = (
        f'<div class="figure">{escape(name)}<b>{_percent(m["rate"])}</b>{_span(m)}</div>' for name, m in metrics.items()
    )
    return f'<div class="figures">{"".join(figures)}</div>'


def _sections(report: dict[str, Any], plots: dict[str, str]) -> list[str]:
    names = list(report["metrics"])
    funnel = [[row["stage"], row["count"], _percent(row["rate"]), _span(row)] for row in report["funnel"]]
    ends = [[row["act"], row["reached"], row["ended"], row["failed"]] for row in report["ends"]]
    parts = [
        _section("By day", _groups("day", report["days"], names), plots.get("days")),
        _section("By policy version", _groups("version", report["versions"], names), plots.get("versions")),
        _section("Where dialogues get to", _table(["stage", "dialogues", "share", ""], funnel), plots.get("funnel")),
        _section("Where they end", _table(["last act", "dialogues with it", "ended there", "of them failed"], ends)),
        _section("What fixing each failure is worth", _worth(report["failures"]), plots.get("failures")),
    ]
    parts += [_section(f"By {name}", _groups(name, rows, names)) for name, rows in report["segments"].items()]
    return parts


def _worth(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return "<p>No failures were seen.</p>"
    note = (
        '<p class="note">Dialogues that would succeed besides, if those with the failure went as the others do: '
        "an upper bound where hard dialogues fail more for other reasons too.</p>"
    )
    cells = [
        [
            row["reason"], row["dialogues"], _percent(row["success_after"]), _percent(row["success_otherwise"]),
            "-" if row["worth"] is None else f"{row['worth']:.1f}",
            "" if row["worth"] is None else f"{row['low']:.1f} to {row['high']:.1f}",
        ]
        for row in rows
    ]  # fmt: skip
    return note + _table(["failure", "dialogues", "success", "success otherwise", "worth", ""], cells)


def _groups(name: str, rows: Sequence[dict[str, Any]], metrics: Sequence[str]) -> str:
    header = [name, "dialogues", *(part for metric in metrics for part in (metric, ""))]
    cells = [
        [row["group"], row["dialogues"], *(p for m in metrics for p in (_percent(row[m]["rate"]), _span(row[m])))]
        for row in rows
    ]
    return _table(header, cells)


def _section(title: str, content: str, plot: str | None = None) -> str:
    image = f'<img alt="{escape(title)}" src="{plot}">' if plot else ""
    return f"<h2>{escape(title)}</h2>{image}{content}"


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _span(share: dict[str, Any]) -> str:
    return f"{100 * share['low']:.1f} to {100 * share['high']:.1f}"


def _day(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
