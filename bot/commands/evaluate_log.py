"""``rejoinder evaluate log``: what policies would have earned in the recorded conversations."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.progress import Progress

from bot.assistant import load_assistant
from bot.config import Config
from bot.errors import CommandError
from bot.learning.cycle import OnlineLearning
from bot.logged_decisions import judge_log, log_of
from bot.report import console, print_json, print_table
from policies.export import OnnxPolicy

ENOUGH = 20
"""Fewer finished dialogues say nothing."""


def evaluate_log(config: Config, updates: int, training_share: float, *, as_json: bool) -> None:
    """Train offline on a share of the finished dialogues and judge it and the served policy on the others."""
    from policies.off_policy import FQEConfig
    from policies.offline import CQLConfig

    learning = OnlineLearning(config, load_assistant(config.assistant))
    dialogues = [dialogue for dialogue in learning.dialogues(time.time()) if dialogue.steps]
    if len(dialogues) < ENOUGH:
        raise CommandError(
            f"{config.database}: {len(dialogues)} finished dialogues with decisions, {ENOUGH} are needed: "
            "let people talk to `rejoinder serve` first"
        )
    served = OnnxPolicy.load(learning.versions.served(), learning.assistant.ontology)
    cql = CQLConfig(updates=updates, report_every=max(updates // 20, 1), seed=config.seed)
    fqe = FQEConfig(updates=updates, seed=config.seed)
    with Progress(console=console, transient=True, disable=as_json) as bar:
        task = bar.add_task("learning from the log", total=updates)

        def advance(update: int, _: int, __: Mapping[str, float]) -> None:
            bar.update(task, completed=update)

        report = judge_log(log_of(dialogues), served.values, cql, fqe, training_share=training_share, progress=advance)
    report["served_version"] = served.version
    if as_json:
        print_json(report)
    else:
        _show(report)


def _show(report: dict[str, Any]) -> None:
    counts = report["dialogues"]
    rows = [
        [name, row["agreement"], *_cells(row["importance"]), *_cells(row["fitted_q"])[:2]]
        for name, row in report["policies"].items()
    ]
    title = f"reward a dialogue, estimated from {counts['held_out']} dialogues ({counts['training']} others trained on)"
    columns = ["policy", "agrees", "importance sampling", "95 %", "effective dialogues", "fitted Q", "95 % "]
    print_table(title, columns, rows)


def _cells(estimate: dict[str, float] | None) -> list[str]:
    if estimate is None:
        return ["-", "-", "-"]
    interval = f"{estimate['low']:.2f} to {estimate['high']:.2f}"
    return [f"{estimate['mean']:.2f}", interval, f"{estimate['effective']:.0f}"]
