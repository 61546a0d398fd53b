"""The recorded conversations: ``rejoinder log``, ``store``, ``batch``, ``report``; each imports what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.commands.options import AssistantPath, ConfigPath, Json, settings

log = typer.Typer(help="Look into recorded conversations.", no_args_is_help=True)
store = typer.Typer(help="Where recorded conversations are kept.", no_args_is_help=True)


@log.command("search")
def log_search(
    query: Annotated[str, typer.Argument(help='Words, "a phrase", birthday OR cake; may be empty with a filter.')] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 20,
    intent: Annotated[str, typer.Option(help="Turns understood as this intent.")] = "",
    channel: Annotated[str, typer.Option(help="Turns on this channel, such as rest, widget, slack.")] = "",
    since: Annotated[str, typer.Option(help="A day, an ISO time (UTC), or an age such as 12h, 7d, 2w.")] = "",
    until: Annotated[str, typer.Option(help="Likewise; a day counts to its end.")] = "",
    sentiment: Annotated[str, typer.Option(help="negative | neutral | positive: the user's message.")] = "",
    failed: Annotated[
        bool | None, typer.Option("--failed/--not-failed", help="Turns that went wrong, or that did not.")
    ] = None,
    feedback: Annotated[str, typer.Option(help="up | down: turns that got this thumb.")] = "",
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """Search everything that was said.

    Examples: `rejoinder log search birthday` · `rejoinder log search "table for six" --json`
    · `rejoinder log search --failed --since 7d` · `rejoinder log search refund --channel slack --feedback down`
    """
    from bot.commands.log import search as run

    wrong = {None: "", True: "yes", False: "no"}[failed]
    filters = {
        "intent": intent,
        "channel": channel,
        "since": since,
        "until": until,
        "sentiment": sentiment,
        "failed": wrong,
        "feedback": feedback,
    }
    run(settings(config, assistant), query, limit, filters, as_json=as_json)


@log.command("decisions")
def log_decisions(config: ConfigPath = None, assistant: AssistantPath = None, as_json: Json = False) -> None:
    """Who decided: each policy, layer of a stack and version with its share of the turns and its take-overs.

    Example: `rejoinder log decisions --json`
    """
    from bot.commands.learn import decisions as run

    run(settings(config, assistant), as_json=as_json)


@log.command("export")
def log_export(
    parquet: Annotated[Path, typer.Option(help="Folder for turns.parquet, decisions.parquet and the others.")],
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """Write turns, decisions, slates and feedback as Parquet, for DuckDB, pandas, Spark and the like.

    Example: `rejoinder log export --parquet exported`
    """
    from bot.commands.log_export import export as run

    run(settings(config, assistant), parquet, as_json=as_json)


@log.command("export-slates")
def log_export_slates(
    out: Annotated[Path | None, typer.Option(help="File to write (default: the standard output).")] = None,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """Write what could have been said, what was, and what people did next, as JSON lines: a training set for rankers.

    Example: `rejoinder log export-slates --out slates.jsonl --json`
    """
    from bot.commands.log_slates import export_slates as run

    run(settings(config, assistant), out, as_json=as_json)


@store.command("copy")
def store_copy(
    source: Annotated[
        str | None, typer.Option("--from", help="File or postgresql://... (default: the file in config's data).")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--to", help="File or postgresql://... (default: config's store.url or its variable).")
    ] = None,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """Copy conversations from one store into another, verified by counts and hashes; call it again to go on.

    Example: `rejoinder store copy --from data/restaurants.sqlite3 --to postgresql://bot@db.example:5432/bot`
    """
    from bot.commands.store_copy import copy as run

    run(settings(config, assistant), source, target, as_json=as_json)


def batch(
    out: Annotated[Path | None, typer.Option(help="The store (default: models/ASSISTANT/scores.sqlite3).")] = None,
    days: Annotated[float, typer.Option(min=0.01, help="How far back offers count.")] = 365,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """Work out slow-moving scores from the log (for cron or Airflow) and put them where servers look them up.

    Example: `rejoinder batch --json`
    """
    from bot.commands.batch import batch as run

    run(settings(config, assistant), out, days, as_json=as_json)


def report(
    out: Annotated[Path, typer.Option(help="The page; it needs no other file.")] = Path("report.html"),
    since: Annotated[str, typer.Option(help="A day, an ISO time (UTC), or an age such as 12h, 7d, 2w.")] = "",
    until: Annotated[str, typer.Option(help="Likewise; a day counts to its end.")] = "",
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """How conversations end: success by day, segment and policy version, where they fail, what fixing that is worth.

    Examples: `rejoinder report` · `rejoinder report --since 30d --out month.html --json`
    """
    from bot.commands.report import report as run

    run(settings(config, assistant), out, since, until, as_json=as_json)
