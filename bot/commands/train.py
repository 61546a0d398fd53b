"""``rejoinder train``: the NLU, its measured errors, and the policy that learns to live with them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.assistant import Assistant, load_assistant
from bot.commands.progress import training_progress
from bot.config import Config
from bot.errors import CommandError
from bot.rasa.reading.files import is_rasa_project
from bot.report import console, print_json, print_table
from bot.task import error_model
from bot.tuned_settings import with_tuned
from bot.users import practice_users

if TYPE_CHECKING:
    from policies.dqn_config import DQNConfig
    from simulator.simulation import SimulationSettings

PARTS = ("all", "nlu", "policy", "ranker")


def train(
    what: str, config: Config, *, steps: int | None, if_missing: bool = False, resume: bool = False, as_json: bool
) -> None:
    """Train ``what`` (all, nlu, policy or ranker) and report; with ``if_missing`` only when no usable model is there.

    ``resume``: the policy's training goes on from where an earlier one with the same settings was cut off.
    """
    if what not in PARTS:
        raise CommandError(f"can't train {what!r}: say one of {', '.join(PARTS)}")
    if what == "ranker":
        from bot.commands.train_ranker import train_ranker

        train_ranker(config, as_json=as_json)
        return
    if is_rasa_project(config.assistant):
        from bot.commands.train_rasa import train_rasa

        train_rasa(what, config, if_missing=if_missing, as_json=as_json)
        return
    if if_missing and _usable(config):
        return
    try:
        import torch  # noqa: F401
    except ImportError:
        raise CommandError("training needs torch: run `make setup`, or install rejoinder[train]") from None
    assistant = load_assistant(config.assistant)
    report: dict[str, Any] = {"assistant": assistant.name, "models": str(config.model_dir)}
    started = time.perf_counter()
    if what in ("all", "nlu"):
        report["nlu"] = _train_nlu(config, assistant, quiet=as_json)
    if what in ("all", "policy"):
        report["policy"] = _train_policy(config, assistant, steps or config.training.steps, resume, quiet=as_json)
    report["seconds"] = round(time.perf_counter() - started, 1)
    if as_json:
        print_json(report)
    else:
        _summary(config, report)


def _usable(config: Config) -> bool:
    """Whether the models of the configured assistant are there, whole, and made for it."""
    from bot.app import build_policy
    from bot.nlu.pipeline import NLU, NLUError
    from policies.export import ModelError

    assistant = load_assistant(config.assistant)
    try:
        NLU.load(config.model_dir, assistant)
        build_policy(config.policy.name, config, assistant)
    except (NLUError, ModelError) as error:
        console.print(f"training, because: {error}", markup=False)
        return False
    return True


def _train_nlu(config: Config, assistant: Assistant, *, quiet: bool) -> dict[str, Any]:
    from bot.nlu.settings import NLUTraining
    from bot.nlu.train import train_nlu

    training = with_tuned(NLUTraining(), config.tuned.nlu, "tuned.nlu")
    with training_progress("NLU", quiet=quiet) as update:
        return train_nlu(
            assistant,
            config.model_dir,
            lambda stage, share: update(share, stage),
            encoder_name=config.nlu.encoder,
            target_in_scope_loss=config.nlu.target_in_scope_loss,
            training=training,
        )


def practice(config: Config, assistant: Assistant, steps: int) -> tuple[SimulationSettings, DQNConfig]:
    """Whom a policy practises with for ``steps``, and the settings of its learner."""
    from policies.devices import choose_device
    from policies.dqn_config import DQNConfig
    from simulator.training import mixed_errors

    errors = mixed_errors(error_model(config), config.training.error_rates)
    settings = practice_users(config, assistant).settings(errors, config.training.max_turns)
    learner = with_tuned(
        DQNConfig(
            steps=steps, num_envs=config.training.num_envs, seed=config.seed,
            device=choose_device(config.training.device),
        ),
        config.tuned.policy, "tuned.policy",
    )  # fmt: skip
    return settings, learner


def _train_policy(config: Config, assistant: Assistant, steps: int, resume: bool, *, quiet: bool) -> dict[str, Any]:
    from policies.resume import ResumeError
    from simulator.training import train_policy

    settings, learner = practice(config, assistant, steps)
    with training_progress("policy", quiet=quiet) as update:

        def progress(step: int, total: int, metrics: Mapping[str, float]) -> None:
            shown = ", ".join(f"{name} {metrics[name]:.2f}" for name in ("success", "reward") if name in metrics)
            update(step / total, shown)

        folder = config.model_dir / "policy"
        try:
            report = train_policy(assistant.ontology, settings, folder, learner, progress=progress, resume=resume)
        except ResumeError as error:
            raise CommandError(str(error)) from None
        except FloatingPointError as error:
            raise CommandError(
                f"the policy's training stopped: {error}. Its last good state is in {folder / 'resume'}; "
                "`rejoinder train policy` begins anew"
            ) from None
    if report["interrupted"] and not quiet:
        console.print("[yellow]interrupted: the best policy so far was kept; --resume goes on[/yellow]")
    return report


def _summary(config: Config, report: Mapping[str, Any]) -> None:
    if "nlu" in report:
        parts = ("intents", "slots", "validation")
        shown = [
            (f"{part}: {name.replace('_', ' ')}", value)
            for part in parts
            for name, value in report["nlu"].get(part, {}).items()
            if isinstance(value, int | float)
        ]
        print_table("NLU (cross-validated, and on held-out sentences)", ["measure", "value"], shown)
    if "policy" in report:
        policy = report["policy"]
        rows = [
            [name, 100 * policy[name]["success"], policy[name]["turns"], policy[name]["reward"]]
            for name in ("learned", "rule")
        ]
        print_table(
            "policy on 500 new simulated users, mixed error rates", ["policy", "success %", "turns", "reward"], rows
        )
        console.print(f"learning curve: {config.model_dir / 'policy' / 'learning_curve.png'}")
    console.print(f"trained in {report['seconds']} s. Now: rejoinder serve, or rejoinder chat")
