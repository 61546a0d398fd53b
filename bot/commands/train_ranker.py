"""``rejoinder train ranker``: selection learns from the slates in the event log."""

from __future__ import annotations

from contextlib import nullcontext
from importlib.util import find_spec
from typing import Any

from bot.commands.log_slates import slates_of
from bot.config import Config
from bot.errors import CommandError
from bot.report import console, print_json, print_table
from bot.tuned_settings import with_tuned


def train_ranker(config: Config, *, as_json: bool) -> None:
    """Train what there is enough feedback for, let the gate judge, and say what is served now."""
    if find_spec("lightgbm") is None:
        raise CommandError("training rankers needs lightgbm: run `make setup`, or install rejoinder[train]")
    from bot.selection_training import train_selection
    from policies.ranking.gbt import RankerSettings

    tuned = config.tuned.ranker
    settings = with_tuned(RankerSettings(), tuned, "tuned.ranker") if tuned else None
    status = None if as_json else console.status("reading conversations")
    with status or nullcontext():
        slates = list(slates_of(config))
        if not slates:
            raise CommandError(
                f"{config.database}: no reply had a choice yet: talk to the bot first (`rejoinder serve`, `chat`)"
            )

        def progress(what: str) -> None:
            if status is not None:
                status.update(f"learning: {what}")

        directory = config.model_dir / "selection"
        report = train_selection(
            slates, config.selection, directory, seed=config.seed, settings=settings, progress=progress
        )
    if as_json:
        print_json(report)
    else:
        _show(report)


def _show(report: dict[str, Any]) -> None:
    rows = []
    for kind, row in report["kinds"].items():
        gate = row.get("gate")
        interval = "-" if gate is None else f"{gate['difference']:+.3f} [{gate['low']:+.3f}, {gate['high']:+.3f}]"
        rows.append([kind, row["slates"], row["with_feedback"], row["result"], interval])
    columns = ["content type", "slates", "with feedback", "ranker", "worth against what is served [95 %]"]
    print_table(f"{report['slates']} slates", columns, rows)
    waiting = [(kind, row) for kind, row in report["kinds"].items() if row["result"] == "waiting"]
    for kind, row in waiting:
        why = row.get("why") or f"{row['with_feedback']} slates with feedback, a ranker needs {row['needed']}"
        console.print(f"{kind}: {why}", markup=False)
    console.print(f"served: {report['version']} (a running server takes it over by itself)")
