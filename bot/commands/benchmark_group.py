"""``rejoinder benchmark``: the commands that measure; each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.commands.options import AssistantPath, ConfigPath, Json, settings

benchmark = typer.Typer(help="Measure speed, learners and memories.", no_args_is_help=True)


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


@benchmark.command("recurrent")
def benchmark_recurrent(
    task: Annotated[str, typer.Option(help="corridor | dialogues")] = "dialogues",
    cores: Annotated[str, typer.Option(help="Memories: none, lstm, ntm, dnc.")] = "none,lstm,ntm,dnc",
    seeds: Annotated[int, typer.Option(min=1, help="Training runs per memory.")] = 5,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps per environment (default: the task's).")] = None,
    out: Annotated[Path, typer.Option(help="Finished runs; a second call goes on from there.")] = Path(
        "runs/benchmark_recurrent.jsonl"
    ),
    as_json: Json = False,
) -> None:
    """Success of a recurrent policy with each memory where no belief tracker remembers for it.

    Examples: `rejoinder benchmark recurrent` · `rejoinder benchmark recurrent --task corridor --cores lstm,dnc --json`
    """
    from bot.commands.benchmark_recurrent import recurrent as run

    run(task, tuple(dict.fromkeys(name.strip() for name in cores.split(","))), seeds, steps, out, as_json=as_json)


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


@benchmark.command("memory")
def benchmark_memory(
    task: Annotated[str, typer.Option(help="copy | repeat-copy | associative-recall")] = "copy",
    machines: Annotated[str, typer.Option(help="Memory machines: ntm, dnc.")] = "ntm,dnc",
    aids: Annotated[str, typer.Option(help="none, an aid, all, all-but-AID, all-rmsprop.")] = (
        "none,all,all-but-grad-clip,all-but-loss-clip,all-but-initial-memory,all-but-curriculum,all-but-adam,all-rmsprop"
    ),
    seeds: Annotated[int, typer.Option(min=1, help="Training runs per machine and set of aids.")] = 5,
    steps: Annotated[int, typer.Option(min=1, help="Updates a run.")] = 1000,
    longest: Annotated[int, typer.Option(min=1, help="The longest sequences or lists.")] = 5,
    out: Annotated[Path, typer.Option(help="Finished runs; a second call goes on from there.")] = Path(
        "runs/benchmark_memory.jsonl"
    ),
    as_json: Json = False,
) -> None:
    """Train memory machines with and without each training aid: wrong bits with intervals, curves; resumable.

    Aids: grad-clip, loss-clip, rmsprop, adam, initial-memory, curriculum.

    Examples: `rejoinder benchmark memory --task copy --seeds 5`
    · `rejoinder benchmark memory --task associative-recall --machines dnc --aids none,adam,all --seeds 2 --json`
    """
    from bot.commands.benchmark_memory import MemoryPlan
    from bot.commands.benchmark_memory import memory as run

    chosen = [tuple(dict.fromkeys(name.strip() for name in names.split(","))) for names in (machines, aids)]
    run(MemoryPlan(task, chosen[0], chosen[1], seeds, steps, longest, out), as_json=as_json)


@benchmark.command("babi")
def benchmark_babi(
    seeds: Annotated[int, typer.Option(min=1, help="Trainings, with seeds 0, 1, ...")] = 5,
    data: Annotated[Path | None, typer.Option(help="Folder of bAbI training files (default: generated).")] = None,
    test: Annotated[list[Path] | None, typer.Option(help="Test files, or folders of them.")] = None,
    tasks: Annotated[str, typer.Option(help="all (1-20), or numbers such as 1,2,15-25.")] = "all",
    generated: Annotated[int, typer.Option(min=0, help="Generated stories a task beside the files.")] = 0,
    steps: Annotated[int | None, typer.Option(min=100, help="Updates of a training.")] = None,
    support: Annotated[float, typer.Option(min=0, help="Weight of the supporting statements; 0: answers alone.")] = 0.5,
    out: Annotated[Path, typer.Option(help="Folder of memories, table and curves; a second call goes on.")] = Path(
        "runs/benchmark_babi"
    ),
    as_json: Json = False,
) -> None:
    """Train the story memory with several seeds: mean, best and 95 % interval of its error, failed tasks; resumable.

    It is judged as it is served, also with every name replaced by a word that it never saw.

    Examples: `rejoinder benchmark babi --seeds 5 --data babi/en-10k`
    · `rejoinder benchmark babi --data babi/en-10k --test babi/en-10k --support 0 --out runs/answers_alone --json`
    """
    from bot.commands.benchmark_babi import BabiPlan
    from bot.commands.benchmark_babi import babi as run
    from bot.commands.train_memory import memory_run

    run(BabiPlan(memory_run(tasks, data, generated, out, steps, 0, support), seeds, tuple(test or ())), as_json=as_json)


@benchmark.command("blending")
def benchmark_blending(
    seeds: Annotated[int, typer.Option(min=1, help="Simulated worlds.")] = 20,
    first_seed: Annotated[int, typer.Option(min=0, help="The first world; settings were chosen on 100 and up.")] = 0,
    methods: Annotated[str, typer.Option(help="Only these, divided by ; (default: all).")] = "",
    out: Annotated[Path, typer.Option(help="Finished runs; a second call goes on from there.")] = Path(
        "runs/benchmark_blending.jsonl"
    ),
    as_json: Json = False,
) -> None:
    """Regret of ways to blend pools against the best possible slates, before and after tastes change; resumable.

    Examples: `rejoinder benchmark blending --seeds 20`
    · `rejoinder benchmark blending --seeds 5 --methods win-share --json`
    """
    from bot.commands.benchmark_blending import blending as run
    from policies.ranking.pools_methods import METHODS

    chosen = tuple(name.strip() for name in methods.split(";") if name.strip())
    run(seeds, first_seed, chosen or METHODS, out, as_json=as_json)


@benchmark.command("feature-selection")
def benchmark_feature_selection(
    seeds: Annotated[int, typer.Option(min=1, help="Made-up data sets.")] = 4,
    queries: Annotated[int, typer.Option(min=30, help="Queries that features are selected on.")] = 1500,
    out: Annotated[Path, typer.Option(help="Finished runs; a second call goes on from there.")] = Path(
        "runs/benchmark_feature_selection.jsonl"
    ),
    as_json: Json = False,
) -> None:
    """Of 150 features 20 matter: how many of them does the selection keep, how much of the rest, at which NDCG?

    Example: `rejoinder benchmark feature-selection --seeds 4 --json`
    """
    from bot.commands.benchmark_feature_selection import FeatureSelectionPlan
    from bot.commands.benchmark_feature_selection import feature_selection as run

    run(FeatureSelectionPlan(seeds, queries, out), as_json=as_json)


@benchmark.command("survival")
def benchmark_survival(
    data: Annotated[
        Path | None, typer.Option(help="Folder of lifelines' data sets (default: simulated users).")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Ways to divide into five parts.")] = 5,
    as_json: Json = False,
) -> None:
    """When does a user come back? An LSTM of hazards against Cox's model: concordance and calibration, held out.

    Examples: `rejoinder benchmark survival`
    · `rejoinder benchmark survival --data survival_lifelines --seeds 10 --json`
    """
    from bot.commands.benchmark_survival import survival as run

    run(data, seeds, as_json=as_json)


@benchmark.command("tuners")
def benchmark_tuners(
    seeds: Annotated[int, typer.Option(min=3, help="Searches per problem and method.")] = 20,
    trials: Annotated[int, typer.Option(min=8, help="Settings tried in a search.")] = 30,
    processes: Annotated[int, typer.Option(min=1, help="Searches at once.")] = 1,
    out: Annotated[Path, typer.Option(help="Finished searches; a second call goes on from there.")] = Path(
        "runs/benchmark_tuners.jsonl"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="Six problems, five seeds.")] = False,
    as_json: Json = False,
) -> None:
    """Bayesian optimisation against random and grid search on functions with known minima and real models; resumable.

    Examples: `rejoinder benchmark tuners --seeds 20` · `rejoinder benchmark tuners --quick --json`
    """
    from bot.commands.benchmark_tuners import TunersPlan
    from bot.commands.benchmark_tuners import tuners as run

    run(TunersPlan(seeds, trials, processes, out, quick), as_json=as_json)


@benchmark.command("distributed")
def benchmark_distributed(
    data: Annotated[Path | None, typer.Option(help="Examples in LIBSVM's format, .xz too (default: made up).")] = None,
    loss: Annotated[str, typer.Option(help="hinge | smoothed-hinge | logistic | squared")] = "hinge",
    l1: Annotated[float, typer.Option(min=0, help="Weight of the sum of absolute weights.")] = 0.0,
    l2: Annotated[float, typer.Option(min=0, help="Weight of half the sum of squared weights.")] = 1e-3,
    workers: Annotated[int, typer.Option(min=1, help="Workers K that the data are divided among.")] = 4,
    quick: Annotated[bool, typer.Option("--quick", help="Small data, few rounds, one size of batch.")] = False,
    ray: Annotated[str | None, typer.Option(help="Real workers: local, or the address of a Ray cluster.")] = None,
    out: Annotated[Path, typer.Option(help="Table (.md) and curves (.png) are written beside it.")] = Path(
        "runs/benchmark_distributed.jsonl"
    ),
    as_json: Json = False,
) -> None:
    """Rounds of communication to a relative duality gap of 0.001: CoCoA against mini-batch methods that are tuned.

    Examples: `rejoinder benchmark distributed --quick`
    · `rejoinder benchmark distributed --data a9a.xz --loss squared --l1 0.001 --l2 0 --workers 16 --json`
    """
    from bot.commands.benchmark_distributed import DistributedPlan
    from bot.commands.benchmark_distributed import distributed as run

    run(DistributedPlan(data, loss, l1, l2, workers, quick, ray, out), as_json=as_json)


@benchmark.command("classic")
def benchmark_classic(
    data: Annotated[Path | None, typer.Option(help="Folder of LibSVM files (.xz) besides the bundled data.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Ways to divide the data.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="At most 400 rows a set and two divisions.")] = False,
    as_json: Json = False,
) -> None:
    """Linear, logistic, SVM, tree, boosted trees, multi-label and ALS on the same public data, in one table.

    Examples: `rejoinder benchmark classic --quick --json` · `rejoinder benchmark classic --data libsvm_small`
    """
    from bot.commands.benchmark_classic import classic as run

    run(data, seeds, quick=quick, as_json=as_json)


@benchmark.command("search")
def benchmark_search(
    seeds: Annotated[int, typer.Option(min=1, help="Worlds of documents and users.")] = 5,
    out: Annotated[Path, typer.Option(help="Finished runs; a second call goes on from there.")] = Path(
        "runs/benchmark_search.jsonl"
    ),
    queries: Annotated[
        Path | None, typer.Option(help="CSV (.xz too) with text,category: recorded queries to find categories for.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small world, at most two seeds.")] = False,
    as_json: Json = False,
) -> None:
    """What becomes of new documents in search, by day, with and without priors: shares, clicks, curves; resumable.

    Examples: `rejoinder benchmark search --queries banking77/train.csv.xz`
    · `rejoinder benchmark search --quick --json`
    """
    from bot.commands.benchmark_search import search as run

    run(seeds, out, queries, quick=quick, as_json=as_json)


@benchmark.command("stories")
def benchmark_stories(
    projects: Annotated[list[Path], typer.Argument(help="Folders of Rasa projects.")],
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each project.")] = 5,
    dialogues: Annotated[int, typer.Option(min=20, help="New users who judge each of them.")] = 500,
    held_out: Annotated[bool, typer.Option("--held-out", help="Judge by stories kept from the training.")] = False,
    as_json: Json = False,
) -> None:
    """How far do memory, imitation and reinforcement get with users who leave a Rasa project's stories?

    Example: `rejoinder benchmark stories my_rasa_project another_one --seeds 5 --json`
    """
    from bot.commands.benchmark_stories import StoryBenchmark
    from bot.commands.benchmark_stories import stories as run

    run(StoryBenchmark(tuple(projects), seeds, dialogues, held_out), as_json=as_json)


def number_ranges(text: str, option: str) -> tuple[int, ...]:
    """The numbers of ``1,3-5``; typer.BadParameter for anything else."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise typer.BadParameter(f"{text!r}: write numbers and ranges such as 1,3-5", param_hint=option)
        numbers += range(int(first), int(last or first) + 1)
    return tuple(dict.fromkeys(numbers))
