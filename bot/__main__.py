"""The command line: ``rejoinder`` = ``python -m bot``.

Every command imports what it needs when it runs: ``rejoinder --help`` answers at once, serving never loads torch.
Exit codes: 0 done, 1 failed, 2 wrong use.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.commands.benchmark_group import benchmark
from bot.commands.log_group import batch, log, report, store
from bot.commands.options import AssistantPath, ConfigPath, Json, ModelPath, Seed, settings
from bot.commands.simulate_group import simulate
from bot.commands.train_distributed import Address, Distributed, DistributedPlan, Servers, Staleness, Workers
from bot.commands.tune_group import tune

app = typer.Typer(
    name="rejoinder",
    help="A self-hosted conversational server whose dialogue policy is learned.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
evaluate = typer.Typer(help="Measure the tracker, the NLU or the policy.", no_args_is_help=True)
app.add_typer(evaluate, name="evaluate")
app.add_typer(log, name="log")
app.add_typer(store, name="store")
app.command()(batch)
app.command()(report)
app.add_typer(benchmark, name="benchmark")
app.add_typer(tune, name="tune")
app.add_typer(simulate, name="simulate")


@app.command()
def train(
    what: Annotated[str, typer.Argument(help="all | nlu | policy | user | memory | ranker")] = "all",
    files: Annotated[list[Path] | None, typer.Argument(help="For user: recorded dialogues.")] = None,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    steps: Annotated[int | None, typer.Option(min=100, help="Steps of the policy's training.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu | cuda | mps | auto (default: config's).")] = None,
    seed: Seed = None,
    if_missing: Annotated[bool, typer.Option("--if-missing", help="Do nothing when there is a usable model.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="For policy, memory: go on where it was cut off.")] = False,
    corpus: Annotated[
        str, typer.Option(help="For user: the format, woz2 | camrest | multiwoz | sgd | tcbot | log.")
    ] = "woz2",
    model: Annotated[str, typer.Option(help="For user: agenda | neural | errors | all.")] = "all",
    held_out: Annotated[Path | None, typer.Option(help="For user: a file that judges (default: a fifth).")] = None,
    tasks: Annotated[str, typer.Option(help="For memory: all (1-20), or numbers such as 1,2,15-25.")] = "all",
    data: Annotated[Path | None, typer.Option(help="For memory: folder of bAbI files (default: generated).")] = None,
    generated: Annotated[int, typer.Option(min=0, help="For memory: generated stories a task beside the files.")] = 0,
    support: Annotated[
        float, typer.Option(min=0, help="For memory: weight of the supporting statements; 0 learns from answers alone.")
    ] = 0.5,
    out: Annotated[Path | None, typer.Option(help="Folder of the result (default: models/ASSISTANT).")] = None,
    distributed: Distributed = False,
    workers: Workers = 2,
    servers: Servers = 1,
    address: Address = None,
    staleness: Staleness = None,
    as_json: Json = False,
) -> None:
    """Train the NLU, measure its errors, and train the policy against simulated users who make them.

    A Rasa 3 project is trained as it is: its NLU data, then a policy from its stories and rules.

    `train user` fits simulated users on recorded dialogues instead, `train memory` a memory on stories with questions,
    `train ranker` the selection of venues and wordings on the event log.

    Examples: `rejoinder train` · `rejoinder train policy --steps 1000 --seed 3` · `rejoinder train -a my/assistant`
    · `rejoinder train --assistant my/rasa-project --out models/bot`
    · `rejoinder train policy --distributed --workers 4 --servers 2 --address ray://head:10001`
    · `rejoinder train user --corpus woz2 woz_train_en.json.xz --held-out woz_validate_en.json.xz`
    · `rejoinder train memory --tasks 1-27 --data babi/en-10k` · `rejoinder train memory --data babi/en-10k --resume`
    """
    if what == "memory":
        from bot.commands.train_memory import memory_run, train_memory_as_configured

        run_of_memory = memory_run(tasks, data, generated, out, steps, seed, support)
        chosen = settings(config, assistant, device=device)
        train_memory_as_configured(run_of_memory, chosen, resume=resume, as_json=as_json)
        return
    if what == "user":
        from bot.commands.train_user import train_user

        chosen = settings(config, assistant, seed=seed, device=device)
        train_user(chosen, corpus, files or [], held_out=held_out, model=model, out=out, as_json=as_json)
        return
    if files:
        raise typer.BadParameter(f"only `train user` reads files, not `train {what}`", param_hint=str(files[0]))
    chosen = settings(config, assistant, seed=seed, device=device, model=out)
    if distributed:
        from bot.commands.train_distributed import train_distributed

        where = DistributedPlan(workers, servers, address, staleness)
        train_distributed(what, chosen, where, steps=steps, resume=resume, as_json=as_json)
        return
    from bot.commands.train import train as run

    run(what, chosen, steps=steps, if_missing=if_missing, resume=resume, as_json=as_json)


@app.command("test")
def tell_test_stories(
    assistant: Annotated[Path, typer.Option("--assistant", "-a", help="Folder of a Rasa project.")],
    model: Annotated[Path | None, typer.Option(help="Folder of its trained model (default: models/ASSISTANT).")] = None,
    out: Annotated[Path, typer.Option(help="Folder for failed_test_stories.yml.")] = Path("results"),
    fail_on_prediction_errors: Annotated[
        bool, typer.Option("--fail-on-prediction-errors", help="Exit with 1 when a story failed.")
    ] = False,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Tell a Rasa project its own test stories: what would it have understood and done?

    Example: `rejoinder test --assistant my_rasa_project --model models/my_rasa_project --json`
    """
    from bot.commands.test import test as run

    folder = model or settings(config, assistant).model_dir
    run(assistant, folder, out, strict=fail_on_prediction_errors, as_json=as_json)


@app.command()
def chat(
    config: ConfigPath = None, assistant: AssistantPath = None, model: ModelPath = None, debug: bool = False
) -> None:
    """Talk to the bot in the terminal; `--debug` shows acts, belief and action values after each turn.

    Examples: `rejoinder chat` · `rejoinder chat --debug`
    """
    from bot.commands.chat import chat as run

    run(settings(config, assistant, model=model), debug=debug)


@app.command()
def serve(
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    model: ModelPath = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: config's).")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one (default: config's).")] = None,
    auth_token: Annotated[
        str | None,
        typer.Option(
            envvar="REJOINDER_AUTH_TOKEN", show_envvar=True, help="Protects the HTTP API: `?token=` opens it."
        ),
    ] = None,
    jwt_secret: Annotated[
        str | None,
        typer.Option(envvar="REJOINDER_JWT_SECRET", show_envvar=True, help="Protects the HTTP API: key of its JWTs."),
    ] = None,
    jwt_method: Annotated[str | None, typer.Option(help="The JWTs' algorithm (default: HS256).")] = None,
) -> None:
    """Serve the web page, the widget, the inspector and the HTTP API until SIGTERM or Ctrl-C.

    Examples: `rejoinder serve` · `rejoinder serve --port 9000` · `rejoinder serve --host 0.0.0.0`
    · `rejoinder serve --assistant my/rasa-project --model models/bot --jwt-secret "$SECRET"`
    """
    from bot.api_auth import api_auth
    from bot.commands.serve import serve as run

    auth = api_auth(auth_token, jwt_secret, jwt_method)
    run(settings(config, assistant, host=host, port=port, model=model), auth)


@evaluate.command("tracker")
def evaluate_tracker(
    file: Annotated[Path, typer.Argument(help="Corpus file (.json or .json.xz).")],
    corpus: Annotated[str, typer.Option(help="Format of the file: woz2")] = "woz2",
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """Joint goal accuracy of NLU + belief tracker on recorded dialogues.

    Example: `rejoinder evaluate tracker --corpus woz2 woz_validate_en.json.xz`
    """
    from bot.commands.evaluate import tracker as run

    run(settings(config, assistant), file, corpus, as_json=as_json)


@evaluate.command("nlu")
def evaluate_nlu(config: ConfigPath = None, assistant: AssistantPath = None, as_json: Json = False) -> None:
    """The NLU's errors on the assistant's held-out sentences, per act type and slot.

    Example: `rejoinder evaluate nlu --json`
    """
    from bot.commands.evaluate import nlu as run

    run(settings(config, assistant), as_json=as_json)


@evaluate.command("policy")
def evaluate_policy(
    dialogues: Annotated[int, typer.Option(min=1, help="Dialogues per seed at act level.")] = 2000,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 5,
    text_dialogues: Annotated[int, typer.Option(min=0, help="Dialogues per seed through text (NLG -> NLU).")] = 100,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """Learned against rule policy: success, turns and reward with 95 % intervals, at act level and through text.

    Example: `rejoinder evaluate policy --dialogues 2000 --seeds 5`
    """
    from bot.commands.evaluate import policy as run

    run(settings(config, assistant), dialogues, seeds, text_dialogues, as_json=as_json)


@evaluate.command("users")
def evaluate_users(
    folders: Annotated[list[Path] | None, typer.Argument(help="Folders of `train user`.")] = None,
    steps: Annotated[int, typer.Option(min=100, help="Steps of each policy's training.")] = 1200,
    training_seeds: Annotated[int, typer.Option(min=1, help="Policies trained with each kind of user.")] = 1,
    dialogues: Annotated[int, typer.Option(min=1, help="Test dialogues per policy and kind of user.")] = 1000,
    error_rate: Annotated[float, typer.Option(min=0, max=0.9, help="Semantic error rate of the tests.")] = 0.15,
    out: Annotated[Path | None, typer.Option(help="Folder (default: models/ASSISTANT/users_matrix).")] = None,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """Train policies with each kind of simulated user and test them with all others: a matrix and a heat map.

    Example: `rejoinder evaluate users models/users/woz2 models/users/sgd --training-seeds 5`
    """
    from bot.commands.evaluate_users import Experiment
    from bot.commands.evaluate_users import evaluate_users as run

    chosen = settings(config, assistant)
    experiment = Experiment(steps, training_seeds, dialogues, error_rate)
    run(chosen, folders or [], experiment, out or chosen.model_dir / "users_matrix", as_json=as_json)


@evaluate.command("log")
def evaluate_log(
    updates: Annotated[int, typer.Option(min=1, help="Gradient steps of the offline training.")] = 4000,
    training_share: Annotated[
        float, typer.Option(min=0.1, max=0.9, help="Share of the dialogues that is trained on; the others judge.")
    ] = 0.5,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """What the served policy, and one learned from the log alone, would earn with the people who were recorded.

    Example: `rejoinder evaluate log --training-share 0.5 --json`
    """
    from bot.commands.evaluate_log import evaluate_log as run

    run(settings(config, assistant, seed=seed), updates, training_share, as_json=as_json)


@evaluate.command("memory")
def evaluate_memory(
    files: Annotated[list[Path], typer.Argument(help="bAbI files, plain or .xz, or folders of test files.")],
    model: Annotated[Path | None, typer.Option(help="Folder of the memory (default: the one that is shipped).")] = None,
    task: Annotated[int | None, typer.Option(min=1, max=20, help="Their task, when the names don't say it.")] = None,
    as_json: Json = False,
) -> None:
    """Error of the memory on each bAbI task, and how many tasks fail (over 5 % error).

    Example: `rejoinder evaluate memory qa1_single-supporting-fact_test.txt qa2_two-supporting-facts_test.txt.xz --json`
    """
    from bot.commands.evaluate_memory import evaluate_memory as run
    from memory.dnc.reader import SHIPPED

    run(files, model or SHIPPED, task, as_json=as_json)


@evaluate.command("ranking")
def evaluate_ranking(
    train: Annotated[list[Path], typer.Option(help="Judged queries to learn from; may be given several times.")],
    test: Annotated[Path, typer.Option(help="Judged queries that only judge.")],
    valid: Annotated[Path | None, typer.Option(help="Judged queries that choose the number of trees.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Rankers trained.")] = 5,
    trees: Annotated[int | None, typer.Option(min=1, help="Most trees of a member (default: what suits).")] = None,
    leaves: Annotated[int | None, typer.Option(min=2, help="Leaves of a tree (default: what suits).")] = None,
    members: Annotated[int | None, typer.Option(min=1, help="Rankers averaged (default: what suits).")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to keep the first seed's ranker in.")] = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Train rankers on LETOR files and compare them with LightGBM's example settings: NDCG, MAP, time of 50 candidates.

    Example: `rejoinder evaluate ranking --train rank.train --valid rank.valid --test rank.test --seeds 5 --json`
    """
    from bot.commands.evaluate_ranking import RankingPlan
    from bot.commands.evaluate_ranking import ranking as run

    tuned = settings(config, None).tuned.ranker
    run(RankingPlan(tuple(train), valid, test, seeds, trees, leaves, members, out, tuned), as_json=as_json)


@evaluate.command("sentiment")
def evaluate_sentiment(
    file: Annotated[Path, typer.Argument(help="Lines of id, mean rating (-4 to 4) and text, with tabs; plain or .xz.")],
    as_json: Json = False,
) -> None:
    """How well the sentiment of a message agrees with people's ratings.

    Example: `rejoinder evaluate sentiment tweets_GroundTruth.txt --json`
    """
    from bot.commands.evaluate_sentiment import evaluate_sentiment as run

    run(file, as_json=as_json)


@evaluate.command("selection")
def evaluate_selection(
    path: Annotated[Path, typer.Argument(help="open_bandit: its folder; slates: a file, or the word database.")],
    log: Annotated[str, typer.Option(help="Format of the log: open_bandit | slates")] = "open_bandit",
    clip: Annotated[float | None, typer.Option(min=0.01, help="Largest importance weight (default: any).")] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Resamples of the bootstrap intervals.")] = 1000,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """What another policy would have earned, estimated from a log: replay, IPS, SNIPS, doubly robust, with intervals.

    Examples: `rejoinder evaluate selection --log open_bandit data/open_bandit --json`
    · `rejoinder evaluate selection --log slates database` · `rejoinder evaluate selection --log slates slates.jsonl`
    """
    from bot.commands.evaluate_selection import selection as run

    run(log, path, clip, resamples, settings(config, assistant), as_json=as_json)


@app.command()
def learn(
    once: Annotated[bool, typer.Option("--once", help="One cycle, then end.")] = False,
    status: Annotated[bool, typer.Option("--status", help="What is served, and what the latest cycles did.")] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Serve the version before.")] = False,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Learn on from finished dialogues, beside the server: a better policy is promoted, the server swaps it in.

    Examples: `rejoinder learn` · `rejoinder learn --once --json` · `rejoinder learn --rollback`
    """
    from bot.commands.learn import learn as run

    run(settings(config, assistant, seed=seed), once=once, status=status, rollback=rollback, as_json=as_json)


@tune.command("thresholds")
def tune_thresholds(
    error_rates: Annotated[str, typer.Option(help="Semantic error rates to tune for.")] = "0,0.15,0.3",
    trials: Annotated[int, typer.Option(min=2, help="Settings tried for each error rate.")] = 30,
    dialogues: Annotated[int, typer.Option(min=50, help="Simulated dialogues a trial.")] = 1000,
    acquisition: Annotated[str, typer.Option(help="ucb | thompson")] = "ucb",
    margin: Annotated[float, typer.Option(min=0, max=1, help="How much success may fall while searching.")] = 0.01,
    check_dialogues: Annotated[int, typer.Option(min=50, help="Dialogues a seed of the final comparison.")] = 2000,
    check_seeds: Annotated[int, typer.Option(min=1, help="Seeds of the final comparison.")] = 5,
    trials_file: Annotated[Path | None, typer.Option(help="Where trials are kept (default: with the models).")] = None,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Tune the rule policy's thresholds by safe contextual Bayesian optimisation in the assistant's simulation.

    Examples: `rejoinder tune thresholds` · `rejoinder tune thresholds --acquisition thompson --trials 50`
    """
    from bot.commands.tune import search_of
    from bot.commands.tune import thresholds as run

    loaded = settings(config, assistant, seed=seed)
    search = search_of(error_rates, trials, dialogues, margin, acquisition, loaded.seed)
    run(loaded, search, check_dialogues, check_seeds, trials_file, as_json=as_json)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="New or empty folder of the bundle.")],
    models: Annotated[Path | None, typer.Option(help="Folder of trained models (default: config's).")] = None,
    memory: Annotated[
        Path | None, typer.Option(help="Folder of the memory (default: config's or the shipped).")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="fp32 | fp16: weights of policy and memory in half the space.")
    ] = "fp32",
    encoder_licence: Annotated[
        str | None, typer.Option(help="Terms on which an encoder of your own may be handed on.")
    ] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Time every network, here and under WebAssembly.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier bundle.")] = False,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """Write encoder, policy and memory as ONNX with one manifest: for other programs, small devices and browsers.

    Examples: `rejoinder export --out bundle` · `rejoinder export --out bundle --precision fp16 --measure --force`
    """
    from bot.commands.export import export as run
    from bot.export.build import ExportSettings

    chosen = settings(config, assistant)
    if models is not None:
        chosen = chosen.model_copy(update={"models": models})
    run(chosen, out, ExportSettings(precision, memory, encoder_licence, force), measured=measure, as_json=as_json)


@app.command()
def doctor(config: ConfigPath = None, assistant: AssistantPath = None, as_json: Json = False) -> None:
    """Print the effective configuration and check everything that a start needs.

    Example: `rejoinder doctor`
    """
    from bot.commands.doctor import doctor as run

    run(settings(config, assistant), as_json=as_json)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="New or empty folder.")] = Path(),
    template: Annotated[str, typer.Option(help="Assistant to start from.")] = "restaurants",
    from_rasa: Annotated[Path | None, typer.Option(help="Rasa 3 project to start from instead.")] = None,
) -> None:
    """Start a project: a copy of an assistant and a commented config.yml.

    Examples: `rejoinder init my-bot && cd my-bot && rejoinder train && rejoinder serve`
    · `rejoinder init --from-rasa my/rasa-project my-bot`
    """
    from bot.commands.init import init as run
    from bot.commands.init import init_from_rasa

    if from_rasa is None:
        run(folder, template)
    else:
        init_from_rasa(from_rasa, folder)


def main() -> None:
    """Entry point: known errors are one clear message and exit code 1, never a stack trace."""
    for library in ("OMP", "OPENBLAS"):  # extra threads only spin on products as small as ours
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from bot.errors import explain

        message = explain(error)
        if message is None:
            raise
        typer.secho(message, fg=typer.colors.RED, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
