"""The command line: ``rejoinder`` = ``python -m bot``.

Every command imports what it needs when it runs: ``rejoinder --help`` answers at once, serving never loads torch.
Exit codes: 0 done, 1 failed, 2 wrong use.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bot.config import Config

app = typer.Typer(
    name="rejoinder",
    help="A self-hosted conversational server whose dialogue policy is learned.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
evaluate = typer.Typer(help="Measure the tracker, the NLU or the policy.", no_args_is_help=True)
log = typer.Typer(help="Look into recorded conversations.", no_args_is_help=True)
benchmark = typer.Typer(help="Measure speed.", no_args_is_help=True)
tune = typer.Typer(help="Find better settings in simulation.", no_args_is_help=True)
app.add_typer(evaluate, name="evaluate")
app.add_typer(log, name="log")
app.add_typer(benchmark, name="benchmark")
app.add_typer(tune, name="tune")

ConfigPath = Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file (default: config.yml).")]
AssistantPath = Annotated[Path | None, typer.Option("--assistant", "-a", help="Assistant folder (default: config's).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of all randomness (default: config's).")]


@app.command()
def train(
    what: Annotated[str, typer.Argument(help="all | nlu | policy | user")] = "all",
    files: Annotated[list[Path] | None, typer.Argument(help="For user: recorded dialogues.")] = None,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    steps: Annotated[int | None, typer.Option(min=100, help="Steps of the policy's training.")] = None,
    seed: Seed = None,
    if_missing: Annotated[bool, typer.Option("--if-missing", help="Do nothing when there is a usable model.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a policy training that was cut off.")] = False,
    corpus: Annotated[
        str, typer.Option(help="For user: the format, woz2 | camrest | multiwoz | sgd | tcbot | log.")
    ] = "woz2",
    model: Annotated[str, typer.Option(help="For user: agenda | neural | errors | all.")] = "all",
    held_out: Annotated[Path | None, typer.Option(help="For user: a file that judges (default: a fifth).")] = None,
    out: Annotated[Path | None, typer.Option(help="For user: folder (default: models/users/CORPUS).")] = None,
    as_json: Json = False,
) -> None:
    """Train the NLU, measure its errors, and train the policy against simulated users who make them.

    `train user` fits simulated users on recorded dialogues instead.

    Examples: `rejoinder train` · `rejoinder train policy --steps 1000 --seed 3` · `rejoinder train -a my/assistant`
    · `rejoinder train user --corpus woz2 woz_train_en.json.xz --held-out woz_validate_en.json.xz`
    """
    if what == "user":
        from bot.commands.train_user import train_user

        chosen = settings(config, assistant, seed=seed)
        train_user(chosen, corpus, files or [], held_out=held_out, model=model, out=out, as_json=as_json)
        return
    if files:
        raise typer.BadParameter(f"only `train user` reads files, not `train {what}`", param_hint=str(files[0]))
    from bot.commands.train import train as run

    chosen = settings(config, assistant, seed=seed)
    run(what, chosen, steps=steps, if_missing=if_missing, resume=resume, as_json=as_json)


@app.command()
def chat(config: ConfigPath = None, assistant: AssistantPath = None, debug: bool = False) -> None:
    """Talk to the bot in the terminal; `--debug` shows acts, belief and action values after each turn.

    Examples: `rejoinder chat` · `rejoinder chat --debug`
    """
    from bot.commands.chat import chat as run

    run(settings(config, assistant), debug=debug)


@app.command()
def serve(
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: config's).")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one (default: config's).")] = None,
) -> None:
    """Serve the web page, the widget, the inspector and the HTTP API until SIGTERM or Ctrl-C.

    Examples: `rejoinder serve` · `rejoinder serve --port 9000` · `rejoinder serve --host 0.0.0.0`
    """
    from bot.commands.serve import serve as run

    run(settings(config, assistant, host=host, port=port))


@app.command()
def simulate(
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
    from bot.commands.evaluate import simulate as run

    run(settings(config, assistant, seed=seed), dialogues, error_rate, policy, show=show, as_json=as_json)


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


@benchmark.command("server")
def benchmark_server(
    url: Annotated[str | None, typer.Option(help="A running server (default: start one).")] = None,
    clients: Annotated[str, typer.Option(help="Numbers of concurrent clients.")] = "1,8,32",
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of each run.")] = 10.0,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """Messages a second, latency, memory and CPU time a message under concurrent clients.

    Example: `rejoinder benchmark server --clients 1,32 --seconds 10`
    """
    from bot.commands.benchmark import server as run

    if not all(count.strip().isdecimal() and int(count) for count in clients.split(",")):
        raise typer.BadParameter(f"{clients!r}: write numbers above 0 such as 1,8,32", param_hint="--clients")
    run(settings(config, assistant), url, [int(n) for n in clients.split(",")], seconds, as_json=as_json)


@benchmark.command("probes")
def benchmark_probes(
    seeds: Annotated[int, typer.Option(min=1, help="Seeds for each probe.")] = 20,
    variant: Annotated[str | None, typer.Option(help="Only this variant of the learner (default: all).")] = None,
    as_json: Json = False,
) -> None:
    """Does every variant of the DQN find the known optimum of every probe environment, with every seed?

    Examples: `rejoinder benchmark probes` · `rejoinder benchmark probes --seeds 3 --variant noisy --json`
    """
    from bot.commands.benchmark_probes import probes as run

    run(seeds, variant, as_json=as_json)


@benchmark.command("simulator")
def benchmark_simulator(
    domain: Annotated[str, typer.Option(help="CR, SFR, or another domain below REJOINDER_DATA.")] = "CR",
    ontology: Annotated[Path | None, typer.Option(help="A domain's own ontology file, with --table.")] = None,
    table: Annotated[Path | None, typer.Option(help="A domain's own table of entities, with --ontology.")] = None,
    env: Annotated[int, typer.Option(help="Environment 1-6 of the PyDial benchmark.")] = 3,
    num_envs: Annotated[int, typer.Option(min=1, help="Dialogues side by side.")] = 1024,
    policy: Annotated[str, typer.Option(help="rule | random")] = "rule",
    observations: Annotated[str, typer.Option(help="belief | slots | nbest | none")] = "belief",
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of the run.")] = 5.0,
    as_json: Json = False,
) -> None:
    """Simulated user turns and dialogues a second, one process on one core.

    Examples: `rejoinder benchmark simulator --domain CR --env 3 --num-envs 1024 --json`
    · `rejoinder benchmark simulator --ontology my-rules.json --table my-dbase.json --policy random`
    """
    from bot.commands.benchmark_simulator import simulator as run

    run(domain, (ontology, table), env, num_envs, policy, seconds, observations, as_json=as_json)


@benchmark.command("policies")
def benchmark_policies(
    domains: Annotated[str, typer.Option(help="CR, SFR, or others below REJOINDER_DATA.")] = "CR,SFR",
    ontology: Annotated[Path | None, typer.Option(help="A domain's own ontology file, with --table.")] = None,
    table: Annotated[Path | None, typer.Option(help="A domain's own table of entities, with --ontology.")] = None,
    envs: Annotated[str, typer.Option(help="Environments, such as 1,3,6 or 1-6.")] = "1-6",
    policy: Annotated[str, typer.Option(help="dqn, dqn-belief, imitation, gp-sarsa, handcrafted, random.")] = "dqn",
    seeds: Annotated[int, typer.Option(min=1, help="Training runs per cell.")] = 5,
    dialogues: Annotated[int | None, typer.Option(min=20, help="Training dialogues a run (default 4,000).")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Seconds of training a run instead.")] = None,
    test_dialogues: Annotated[int, typer.Option(min=1, help="Greedy test dialogues a run.")] = 500,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Runs at once (default: cores; 1 for --seconds).")
    ] = None,
    out: Annotated[Path, typer.Option(help="Finished runs; a second call goes on from there.")] = Path(
        "runs/benchmark_policies.jsonl"
    ),
    as_json: Json = False,
) -> None:
    """Train policies in environments of the PyDial benchmark and test them: a table with intervals; resumable.

    Examples: `rejoinder benchmark policies --domains CR,SFR --envs 1-6 --seeds 5`
    · `rejoinder benchmark policies --ontology my-rules.json --table my-dbase.json --envs 3 --seconds 60 --json`
    """
    from bot.commands.benchmark_policies import Plan
    from bot.commands.benchmark_policies import policies as run

    plan = Plan(
        tuple(name.strip() for name in domains.split(",")), (ontology, table), number_ranges(envs, "--envs"),
        tuple(name.strip() for name in policy.split(",")), seeds, dialogues, seconds, test_dialogues, processes, out,
    )  # fmt: skip
    run(plan, as_json=as_json)


@benchmark.command("tcbot")
def benchmark_tcbot(
    task: Annotated[Path | None, typer.Option(help="Folder of the task (default: below REJOINDER_DATA).")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Training runs.")] = 5,
    dialogues: Annotated[int, typer.Option(min=100, help="Training dialogues a run, the rule agent's included.")] = 850,
    test_dialogues: Annotated[int, typer.Option(min=1, help="Greedy test dialogues a run.")] = 500,
    out: Annotated[Path, typer.Option(help="Finished runs; a second call goes on from there.")] = Path(
        "runs/benchmark_tcbot.jsonl"
    ),
    as_json: Json = False,
) -> None:
    """Learn TC-Bot's movie-ticket task within a tenth of its dialogues, and test: per seed and with intervals.

    Example: `rejoinder benchmark tcbot --seeds 5 --dialogues 850 --json`
    """
    from bot.commands.benchmark_tcbot import tcbot as run

    run(task, seeds, dialogues, test_dialogues, out, as_json=as_json)


def number_ranges(text: str, option: str) -> tuple[int, ...]:
    """The numbers of ``1,3-5``; typer.BadParameter for anything else."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise typer.BadParameter(f"{text!r}: write numbers and ranges such as 1,3-5", param_hint=option)
        numbers += range(int(first), int(last or first) + 1)
    return tuple(dict.fromkeys(numbers))


@log.command("search")
def log_search(
    query: Annotated[str, typer.Argument(help='Words, or an FTS5 query such as "birthday OR cake".')],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 20,
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    as_json: Json = False,
) -> None:
    """Search everything that was said.

    Examples: `rejoinder log search birthday` · `rejoinder log search "table for six" --json`
    """
    from bot.commands.log import search as run

    run(settings(config, assistant), query, limit, as_json=as_json)


@log.command("decisions")
def log_decisions(config: ConfigPath = None, assistant: AssistantPath = None, as_json: Json = False) -> None:
    """Who decided: each policy, layer of a stack and version with its share of the turns and its take-overs.

    Example: `rejoinder log decisions --json`
    """
    from bot.commands.learn import decisions as run

    run(settings(config, assistant), as_json=as_json)


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
) -> None:
    """Start a project: a copy of an assistant and a commented config.yml.

    Example: `rejoinder init my-bot && cd my-bot && rejoinder train && rejoinder serve`
    """
    from bot.commands.init import init as run

    run(folder, template)


def settings(
    config: Path | None,
    assistant: Path | None,
    *,
    seed: int | None = None,
    host: str | None = None,
    port: int | None = None,
) -> Config:
    """The configuration with what the command line overrides."""
    from bot.config import load_config, overridden

    loaded = load_config(config)
    changes: dict[str, object] = {}
    if assistant is not None:
        changes["assistant"] = assistant
    if seed is not None:
        changes["seed"] = seed
    server = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    if server:
        changes["server"] = {**loaded.server.model_dump(), **server}
    return overridden(loaded, changes)


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
