"""``rejoinder tune``: the commands that look for better settings; each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.commands.options import AssistantPath, ConfigPath, Json, Seed, settings

tune = typer.Typer(help="Find better settings.", no_args_is_help=True)

Method = Annotated[str, typer.Option(help="bayes (a Gaussian process) | random | grid")]
Trials = Annotated[int, typer.Option(min=2, help="Settings tried, those of earlier calls included.")]
Workers = Annotated[int, typer.Option(min=1, help="Trials at once, each in a process of its own.")]
TrialSeconds = Annotated[float, typer.Option(min=1, help="A trial that takes longer is stopped and counts as failed.")]
Ray = Annotated[str | None, typer.Option(help="Trials on Ray workers: a cluster's HOST:PORT, or local.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the search; a second call goes on from there.")]


@tune.command("policy")
def tune_policy(
    method: Method = "bayes",
    trials: Trials = 30,
    workers: Workers = 1,
    ray: Ray = None,
    steps: Annotated[int, typer.Option(min=30, help="Environment steps of a trial's training.")] = 800,
    trial_seconds: TrialSeconds = 3600,
    out: Out = None,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Tune the learner of the dialogue policy on short trainings in the assistant's simulation; resumable.

    Example: `rejoinder tune policy --method bayes --trials 30 --workers 2`
    """
    from bot.commands.tune_learner import POLICY, SearchOptions, tune_learner
    from bot.tuning_objectives import PolicyObjective

    chosen = settings(config, assistant, seed=seed)
    folder = out or chosen.model_dir / "tune" / "policy"
    options = SearchOptions(method, trials, workers, trial_seconds, chosen.seed, folder, ray)
    about = {"steps": steps, "assistant": str(chosen.assistant), "training": chosen.training.model_dump(mode="json")}
    tune_learner(POLICY, PolicyObjective(chosen, steps, chosen.seed), options, about, as_json=as_json)


@tune.command("ranker")
def tune_ranker(
    files: Annotated[list[Path], typer.Argument(help="Judged queries (LETOR), cross-validated.")],
    method: Method = "bayes",
    trials: Trials = 30,
    workers: Workers = 1,
    ray: Ray = None,
    trial_seconds: TrialSeconds = 3600,
    out: Out = None,
    seed: Annotated[int, typer.Option(help="Divides the queries.")] = 0,
    as_json: Json = False,
) -> None:
    """Tune boosted trees that rank, by cross-validated NDCG on judged queries; resumable.

    Example: `rejoinder tune ranker rank.train --trials 40 --json`
    """
    from bot.commands.evaluate_ranking import require_lightgbm
    from bot.commands.tune_learner import RANKER, SearchOptions, tune_learner
    from bot.tuning_objectives import RankerObjective
    from policies.ranking.letor import read_letor

    require_lightgbm()
    for file in files:
        read_letor(file)  # says now, and not in every trial, what is wrong with it
    options = SearchOptions(method, trials, workers, trial_seconds, seed, out or Path("runs/tune_ranker"), ray)
    about = {"files": [str(file) for file in files]}
    tune_learner(RANKER, RankerObjective(tuple(files), seed), options, about, as_json=as_json)


@tune.command("memory")
def tune_memory(
    tasks: Annotated[str, typer.Option(help="all (1-20), or numbers such as 1,2,15-25.")] = "1,2,5",
    data: Annotated[Path | None, typer.Option(help="Folder of bAbI files (default: generated stories).")] = None,
    steps: Annotated[int, typer.Option(min=10, help="Updates of a trial's training.")] = 600,
    method: Method = "bayes",
    trials: Trials = 20,
    workers: Workers = 1,
    ray: Ray = None,
    trial_seconds: TrialSeconds = 7200,
    out: Out = None,
    seed: Annotated[int, typer.Option(help="Of all trainings.")] = 0,
    as_json: Json = False,
) -> None:
    """Tune the training of the story memory on short trainings, by its error on stories held out; resumable.

    Example: `rejoinder tune memory --tasks 1,2 --steps 600 --trials 20`
    """
    from bot.commands.train_memory import memory_run
    from bot.commands.tune_learner import MEMORY, SearchOptions, tune_learner
    from bot.memory_training import digests
    from bot.tuning_objectives import MemoryObjective

    run = memory_run(tasks, data, 0, out, steps, seed, 0.5)
    digests(run)  # says now which file is missing
    options = SearchOptions(method, trials, workers, trial_seconds, seed, out or Path("runs/tune_memory"), ray)
    about = {"tasks": list(run.tasks), "data": str(data), "steps": steps}
    tune_learner(MEMORY, MemoryObjective(run.tasks, data, steps, seed), options, about, as_json=as_json)


@tune.command("nlu")
def tune_nlu(
    method: Method = "bayes",
    trials: Trials = 20,
    workers: Workers = 1,
    ray: Ray = None,
    trial_seconds: TrialSeconds = 3600,
    out: Out = None,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Tune the training of the NLU by its cross-validated intent accuracy, also on misspelt sentences; resumable.

    Example: `rejoinder tune nlu --trials 20 --workers 2`
    """
    from bot.commands.tune_learner import NLU, SearchOptions, require_trained_nlu, tune_learner
    from bot.tuning_objectives import NLUObjective

    chosen = settings(config, assistant, seed=seed)
    require_trained_nlu(chosen)
    folder = out or chosen.model_dir / "tune" / "nlu"
    options = SearchOptions(method, trials, workers, trial_seconds, chosen.seed, folder, ray)
    about = {"assistant": str(chosen.assistant), "encoder": chosen.nlu.encoder}
    tune_learner(NLU, NLUObjective(chosen, chosen.seed), options, about, as_json=as_json)
