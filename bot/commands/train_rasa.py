"""``rejoinder train`` for a Rasa project: its NLU, then a policy from its stories and rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape

from bot.commands.progress import training_progress
from bot.commands.rasa_notes import print_unsupported
from bot.config import Config
from bot.errors import CommandError
from bot.rasa.reading.loading import load_project
from bot.report import console, print_json, print_table


def train_rasa(what: str, config: Config, *, if_missing: bool = False, as_json: bool) -> None:
    """Train the project that ``config.assistant`` names, and say what of it is done otherwise.

    CommandError for a part that can't be trained alone, or when torch is missing; AssistantError for a project that
    can't be read.
    """
    if what != "all":
        raise CommandError(f"a Rasa project is trained whole: `rejoinder train`, not `rejoinder train {what}`")
    project = load_project(config.assistant)
    if if_missing:
        from bot.rasa.app import is_trained

        if is_trained(config, project):
            return
    from bot.rasa.training import train_project

    with training_progress("Rasa project", quiet=as_json) as update:
        trained = train_project(
            project,
            config.model_dir,
            seed=config.seed,
            progress=lambda stage, share: update(share, stage),
            encoder_name=config.nlu.encoder,
        )
    report: dict[str, Any] = {
        **trained,
        "assistant": config.name,
        "models": str(config.model_dir),
    }
    if as_json:
        print_json(report)
        return
    for part in ("nlu", "policy"):
        _table(part, report.get(part))
    for contradiction in trained["contradictions"]:
        console.print(f"[yellow]contradiction[/yellow] {escape(contradiction)}", highlight=False)
    print_unsupported(project)
    console.print(f"trained in {report['seconds']} s. Now: rejoinder serve, or rejoinder chat")


def _table(part: str, figures: Any) -> None:
    """The numbers of one part, groups of them flattened."""
    if not isinstance(figures, Mapping):
        return
    rows: list[tuple[str, int | float]] = []
    for name, value in figures.items():
        inner = value.items() if isinstance(value, Mapping) else ((None, value),)
        for key, number in inner:
            if isinstance(number, int | float) and not isinstance(number, bool):
                label = str(name) if key is None else f"{name}: {key}"
                rows.append((label.replace("_", " "), number))
    if rows:
        print_table(part, ["measure", "value"], rows)
