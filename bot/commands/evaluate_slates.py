"""``rejoinder evaluate selection --log slates``: what other ways of selecting would have earned in this log."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.commands.benchmark_probes import counted
from bot.config import Config
from bot.errors import CommandError
from bot.report import console, print_json, print_table
from bot.selection_store import SelectionVersions

if TYPE_CHECKING:
    from policies.ranking.logged_slates import LoggedSlate
    from policies.ranking.offline_evaluation import EvaluationSettings
    from policies.ranking.slate_evaluation import Target

DATABASE = "database"
"""In place of a file: the slates of the event log."""


def evaluate_slates(path: Path, settings: EvaluationSettings, config: Config, *, as_json: bool) -> None:
    """By content type: what was earned, and every estimator's estimate for ``uniform``, ``fixed``, ``own_order`` (the
    logged ratio, pools in their own order) and ``served`` (pools in the order of the served ranker, if there is one).
    """
    report = report_on(_read(path, config), settings, config, quiet=as_json)
    if as_json:
        print_json({"log": "slates", "settings": asdict(settings), **report})
        return
    for kind, found in report["kinds"].items():
        _print(kind, found)
    console.print("An interval as wide as its value decides nothing; the reward of an action is set in config.yml.")


def report_on(
    slates: list[LoggedSlate], settings: EvaluationSettings, config: Config, *, quiet: bool
) -> dict[str, Any]:
    """``kinds``, each with ``slates``, ``on_policy`` and ``estimates``."""
    from policies.ranking.slate_evaluation import SlateLog

    worth = {str(action): value for action, value in config.selection.rewards.items()}
    kinds = sorted({logged.slate.kind for logged in slates})
    report: dict[str, Any] = {}
    with counted("estimates", len(kinds), hidden=quiet) as advance:
        for kind in kinds:
            log = SlateLog.of([logged for logged in slates if logged.slate.kind == kind], worth)
            rows = [
                {"target": name, **row}
                for name, policy in _targets(kind, config).items()
                for row in log.estimates(policy, settings)
            ]
            earned = asdict(log.earned(settings))
            report[kind] = {"slates": len(log.slates), "on_policy": earned, "estimates": rows}
            advance()
    return {"kinds": report}


def _targets(kind: str, config: Config) -> dict[str, Target]:
    from policies.ranking.served_ranker import MANIFEST_FILE, ServedRanker
    from policies.ranking.slate_evaluation import RankedTarget, editors, evenly

    found: dict[str, Target] = {"uniform": evenly, "fixed": editors, "own_order": RankedTarget(None)}
    folder = SelectionVersions(config.model_dir / "selection").folder()
    if folder is not None and (folder / kind / MANIFEST_FILE).exists():
        found["served"] = RankedTarget(ServedRanker.load(folder / kind), config.selection.temperature)
    return found


def _read(path: Path, config: Config) -> list[LoggedSlate]:
    from policies.ranking.logged_slates import read_slates

    if str(path) != DATABASE:
        return read_slates(path)
    from bot.commands.log_slates import slates_of

    slates = list(slates_of(config))
    if not slates:
        raise CommandError(f"{config.database}: no reply had a choice yet; talk to the bot first")
    return slates


def _print(kind: str, found: dict[str, Any]) -> None:
    shown, notes = [], []
    for row in found["estimates"]:
        if "refused" in row:
            shown.append([row["target"], row["estimator"], "refused", "-"])
            notes.append(f"{row['estimator']} of {row['target']}: {row['refused']}")
        else:
            shown.append([row["target"], row["estimator"], _value(row), f"{row['effective']:.0f}"])
    print_table(f"{kind}: {found['slates']} slates", ["selection", "estimator", "reward (95 %)", "effective"], shown)
    console.print(f"it earned {_value(found['on_policy'])} a choice")
    for note in dict.fromkeys(notes):
        console.print(note, markup=False)


def _value(row: dict[str, Any]) -> str:
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
