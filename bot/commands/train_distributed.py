"""``rejoinder train policy --distributed``: its training on a parameter server, on many machines."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.assistant import load_assistant
from bot.commands.progress import training_progress
from bot.errors import CommandError
from bot.interruption import INTERRUPTED, interruptions
from bot.report import console, print_json, print_table

if TYPE_CHECKING:
    from bot.config import Config
    from simulator.distributed import Spread

Distributed = Annotated[bool, typer.Option("--distributed", help="For policy: on a parameter server (Ray).")]
Workers = Annotated[int, typer.Option(min=1, help="With --distributed: processes that play and compute gradients.")]
Servers = Annotated[int, typer.Option(min=1, help="With --distributed: processes that hold parameters, and replay.")]
Address = Annotated[str | None, typer.Option(help="With --distributed: ray://HOST:PORT; here: one process.")]
Staleness = Annotated[
    int | None, typer.Option(min=0, help="With --distributed: asynchronous; updates a worker may be ahead of another.")
]


@dataclass(frozen=True, slots=True)
class DistributedPlan:
    """What the command line says about where to train; see the options."""

    workers: int
    servers: int
    address: str | None
    staleness: int | None


def train_distributed(
    what: str, config: Config, plan: DistributedPlan, *, steps: int | None, resume: bool, as_json: bool
) -> None:
    """Train the policy elsewhere, with the same result; interrupted, say how to go on and exit with 130."""
    if what != "policy":
        raise CommandError(f"--distributed trains a policy, not {what!r}: `rejoinder train policy --distributed`")
    try:
        import torch  # noqa: F401
    except ImportError:
        raise CommandError("training needs torch: run `make setup`, or install rejoinder[train]") from None
    began = time.perf_counter()
    report = _trained(config, plan, steps or config.training.steps, resume, quiet=as_json)
    if as_json:
        print_json({"policy": report, "seconds": round(time.perf_counter() - began, 1)})
    else:
        _show(config, report)
    if report["interrupted"]:
        if not as_json:
            console.print(
                f"interrupted, which is kept; go on with:\n{_again(config, plan, steps)}", markup=False, soft_wrap=True
            )
        raise typer.Exit(INTERRUPTED)


def _trained(config: Config, plan: DistributedPlan, steps: int, resume: bool, *, quiet: bool) -> dict[str, Any]:
    from bot.commands.train import practice
    from policies.dqn_config import DQNConfigError
    from policies.optimize.parameter_server_files import ServerCheckpointError
    from simulator.distributed import train_policy_distributed

    assistant = load_assistant(config.assistant)
    settings, learner = practice(config, assistant, steps)
    with training_progress("policy", quiet=quiet) as update, interruptions() as interrupted:

        def progress(step: int, total: int, metrics: Mapping[str, float]) -> None:
            shown = ", ".join(f"{name} {metrics[name]:.2f}" for name in ("success", "reward") if name in metrics)
            update(step / total, shown)

        try:
            return train_policy_distributed(
                assistant.ontology, settings, config.model_dir / "policy", learner, _spread(plan),
                progress=progress, resume=resume, stop=interrupted,
            )  # fmt: skip
        except (DQNConfigError, ServerCheckpointError) as error:
            raise CommandError(str(error)) from None
        except FloatingPointError as error:
            raise CommandError(
                f"the policy's training stopped: {error}. `rejoinder train policy --distributed --resume` goes on from "
                "the last checkpoint, without --resume it begins anew"
            ) from None


def _spread(plan: DistributedPlan) -> Spread:
    """The group's sizes; there are as many lanes as workers where 8 don't do."""
    from policies.distributed_plan import LANES
    from policies.optimize.parameter_server_workers import Sizes
    from simulator.distributed import Spread

    lanes = max(LANES, plan.workers)
    sizes = Sizes(plan.workers, plan.servers, min(plan.servers, lanes), plan.staleness)
    return Spread(sizes, plan.address, lanes)


def _show(config: Config, report: Mapping[str, Any]) -> None:
    rows = [
        [name, 100 * report[name]["success"], report[name]["turns"], report[name]["reward"]]
        for name in ("learned", "rule")
    ]
    print_table("policy on 500 new simulated users", ["policy", "success %", "turns", "reward"], rows)
    told = report["throughput"]
    print_table(
        f"{told['workers']} workers, {told['servers']} servers",
        ["measure", "value"],
        [[name.replace("_", " "), value] for name, value in told.items() if name not in ("workers", "servers")],
    )
    for reason in report["recoveries"]:
        console.print(f"recovered: {reason}", markup=False)
    console.print(f"learning curve: {config.model_dir / 'policy' / 'learning_curve.png'}")


def _again(config: Config, plan: DistributedPlan, steps: int | None) -> str:
    words = ["rejoinder", "train", "policy", "--distributed", "--workers", str(plan.workers)]
    words += ["--servers", str(plan.servers), "--assistant", str(config.assistant), "--out", str(config.model_dir)]
    words += ["--address", plan.address] if plan.address else []
    words += ["--staleness", str(plan.staleness)] if plan.staleness is not None else []
    words += ["--steps", str(steps)] if steps else []
    words += ["--seed", str(config.seed)]
    return shlex.join([*words, "--resume"])
