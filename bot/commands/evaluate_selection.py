"""``rejoinder evaluate selection``: what another way of selecting would have earned, from what was logged."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from bot.commands.benchmark_probes import counted
from bot.config import Config
from bot.errors import CommandError
from bot.report import console, print_json, print_table

LOGS = ("open_bandit", "slates")
"""Formats of logs."""


def selection(
    log: str, path: Path, clip: float | None, resamples: int, config: Config | None = None, *, as_json: bool
) -> None:
    """Estimate policies from a log, with every estimator, and compare with what was really earned.

    ``config`` says where the database and the served rankers are, for ``slates``.
    """
    from policies.ranking.offline_evaluation import EvaluationSettings

    if log not in LOGS:
        raise CommandError(f"--log {log}: there are {', '.join(LOGS)}")
    settings = EvaluationSettings(clip=clip, resamples=resamples)
    if log == "slates":
        from bot.commands.evaluate_slates import evaluate_slates

        evaluate_slates(path, settings, config or Config(), as_json=as_json)
        return
    report = _open_bandit(path, settings, quiet=as_json)
    if as_json:
        print_json(report)
        return
    for name, campaign in report["campaigns"].items():
        _print(name, campaign)
    console.print(
        "A policy's own clicks are what it earned while it served; an interval as wide as its value decides nothing."
    )


def _open_bandit(path: Path, settings: Any, *, quiet: bool) -> dict[str, Any]:
    from policies.ranking.offline_evaluation import on_policy
    from policies.ranking.open_bandit import POLICIES, read_open_bandit

    campaigns = read_open_bandit(path)
    report: dict[str, Any] = {}
    with counted("estimates", len(campaigns) * len(POLICIES) * 4, hidden=quiet) as advance:
        for campaign in campaigns:
            own = {policy: on_policy(campaign.feedback[policy].rewards, settings) for policy in POLICIES}
            rows: list[dict[str, Any]] = []
            for log, target in (POLICIES, POLICIES[::-1]):
                truth = own[target].value
                for row in _estimates(campaign.feedback[log], campaign.target(target, log), settings, advance):
                    found = {"log": log, "target": target, **row}
                    if "value" in row:
                        found["on_policy"] = truth
                        found["covers_on_policy"] = row["low"] <= truth <= row["high"]
                    rows.append(found)
            report[campaign.name] = {"on_policy": {name: asdict(e) for name, e in own.items()}, "estimates": rows}
    return {"log": "open_bandit", "settings": asdict(settings), "campaigns": report}


def _estimates(feedback: Any, target: Any, settings: Any, advance: Any) -> list[dict[str, Any]]:
    """Every estimator's estimate, or why it refuses."""
    from policies.ranking.offline_evaluation import ESTIMATORS, OfflineEvaluationError, doubly_robust
    from policies.ranking.reward_models import AdditiveLogistic

    rows: list[dict[str, Any]] = []
    for name, estimator in ESTIMATORS.items():
        try:
            rows.append(asdict(estimator(feedback, target, settings)))
        except OfflineEvaluationError as error:
            rows.append({"estimator": name, "refused": str(error)})
        advance()
    try:
        rows.append(asdict(doubly_robust(feedback, target, AdditiveLogistic(), settings)))
    except ImportError:
        rows.append({"estimator": "dr", "refused": "its reward model needs scikit-learn: install rejoinder[train]"})
    advance()
    return rows


def _print(name: str, campaign: dict[str, Any]) -> None:
    columns = [
        "from the log of",
        "of policy",
        "estimator",
        "clicks, % (95 %)",
        "effective rows",
        "clipped, %",
        "it earned, %",
    ]
    shown, notes = [], []
    for row in campaign["estimates"]:
        if "refused" in row:
            shown.append([row["log"], row["target"], row["estimator"], "refused", "-", "-", "-"])
            notes.append(f"{row['estimator']} from the log of {row['log']}: {row['refused']}")
            continue
        shown.append([
            row["log"], row["target"], row["estimator"], _percent(row), f"{row['effective']:.0f}",
            f"{100 * row['clipped']:.1f}", f"{100 * row['on_policy']:.2f}",
        ])  # fmt: skip
    print_table(f"campaign {name}", columns, shown)
    for policy, row in campaign["on_policy"].items():
        console.print(f"{policy} earned {_percent(row)} % clicks in {row['rows']} rows")
    for note in notes:
        console.print(note, markup=False)


def _percent(row: dict[str, Any]) -> str:
    return f"{100 * row['value']:.2f} ({100 * row['low']:.2f} to {100 * row['high']:.2f})"
