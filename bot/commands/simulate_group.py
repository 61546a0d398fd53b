"""``rejoinder simulate``: simulated users; each command imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.commands.options import AssistantPath, ConfigPath, Json, Seed, settings

simulate = typer.Typer()


@simulate.callback(invoke_without_command=True)
def simulate_dialogues(
    context: typer.Context,
    dialogues: Annotated[int, typer.Option("--dialogues", "-n", min=1, help="How many dialogues.")] = 1000,
    error_rate: Annotated[
        float | None, typer.Option(min=0, max=0.9, help="Semantic error rate (default: the measured one).")
    ] = None,
    policy: Annotated[str, typer.Option(help="learned | rule | stack | random")] = "learned",
    show: Annotated[int, typer.Option(min=0, help="Print this many dialogues in words.")] = 1,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Let simulated users talk to a policy, and say how it went.

    Examples: `rejoinder simulate -n 5000 --error-rate 0.15` · `rejoinder simulate --policy rule --show 3`
    """
    if context.invoked_subcommand is not None:
        return
    from bot.commands.evaluate import simulate as run

    run(settings(config, assistant, seed=seed), dialogues, error_rate, policy, show=show, as_json=as_json)


@simulate.command("feedback")
def simulate_feedback(
    users: Annotated[int, typer.Option(min=10, help="Users, divided evenly among the worlds.")] = 5000,
    seeds: Annotated[int, typer.Option(min=2, help="Worlds: other venues are good, other people come.")] = 5,
    out: Annotated[Path, typer.Option(help="Finished runs; a second call goes on from there.")] = Path(
        "runs/simulate_feedback.jsonl"
    ),
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """Users with hidden tastes and the learned selection, against the table's order and chance; resumable.

    Examples: `rejoinder simulate feedback --users 5000` · `rejoinder simulate feedback --users 200 --seeds 2 --json`
    """
    from bot.commands.simulate_feedback import FeedbackPlan
    from bot.commands.simulate_feedback import feedback as run

    run(settings(config, assistant), FeedbackPlan(users, seeds, out), as_json=as_json)
