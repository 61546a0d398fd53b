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
app.add_typer(evaluate, name="evaluate")
app.add_typer(log, name="log")
app.add_typer(benchmark, name="benchmark")

ConfigPath = Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file (default: config.yml).")]
AssistantPath = Annotated[Path | None, typer.Option("--assistant", "-a", help="Assistant folder (default: config's).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of all randomness (default: config's).")]


@app.command()
def train(
    what: Annotated[str, typer.Argument(help="all | nlu | policy")] = "all",
    config: ConfigPath = None,
    assistant: AssistantPath = None,
    steps: Annotated[int | None, typer.Option(min=100, help="Steps of the policy's training.")] = None,
    seed: Seed = None,
    if_missing: Annotated[bool, typer.Option("--if-missing", help="Do nothing when there is a usable model.")] = False,
    as_json: Json = False,
) -> None:
    """Train the NLU, measure its errors, and train the policy against simulated users who make them.

    Examples: `rejoinder train` · `rejoinder train policy --steps 1000 --seed 3` · `rejoinder train -a my/assistant`
    """
    from bot.commands.train import train as run

    run(what, settings(config, assistant, seed=seed), steps=steps, if_missing=if_missing, as_json=as_json)


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
    policy: Annotated[str, typer.Option(help="learned | rule | random")] = "learned",
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
