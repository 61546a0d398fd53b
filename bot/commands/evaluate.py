"""``rejoinder evaluate`` and ``rejoinder simulate``: measured results with their uncertainty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bot.app import build_policy, mask_thresholds
from bot.assistant import Assistant, load_assistant
from bot.config import Config
from bot.errors import CommandError
from bot.report import console, print_json, print_table
from bot.task import error_model, task_of
from policies.policy import Policy
from simulator.evaluate import METRICS, bootstrap, evaluate_policy
from simulator.noise import ErrorModel
from simulator.simulation import SimulationSettings

TEXT_BATCH = 50


def tracker(config: Config, file: Path, corpus: str, *, as_json: bool) -> None:
    """Print joint goal accuracy and latency on a corpus."""
    from bot.evaluate_tracker import evaluate_tracker

    if corpus != "woz2":
        raise CommandError(f"no reader for corpus {corpus!r}; there is: woz2")
    report = evaluate_tracker(file, config.model_dir, load_assistant(config.assistant))
    if as_json:
        print_json(report)
    else:
        print_table(f"tracker on {file.name}", list(report), [list(report.values())])


def nlu(config: Config, *, as_json: bool) -> None:
    """Print the errors on the assistant's held-out sentences."""
    from bot.nlu.measure import measure_nlu
    from bot.nlu.pipeline import NLU

    assistant = load_assistant(config.assistant)
    report = measure_nlu(NLU.load(config.model_dir, assistant), assistant)
    if as_json:
        print_json(report)
        return
    rows: list[Sequence[Any]] = [(name, value) for name, value in report.items() if isinstance(value, int | float)]
    rows += [(f"F1 of {name}", value) for name, value in report["per_type_f1"].items()]
    rows.append(("semantic error rate", report["error_model"]["semantic_error_rate"]))
    print_table(f"NLU on {report['sentences']} held-out sentences", ["measure", "value"], rows)


def simulate(config: Config, dialogues: int, error_rate: float | None, name: str, *, show: int, as_json: bool) -> None:
    """Let simulated users talk to the policy called ``name``."""
    assistant = load_assistant(config.assistant)
    chosen = _policy(name, config, assistant)
    model = error_model(config) if error_rate is None else ErrorModel.at(error_rate)
    row = act_level(chosen, config, assistant, model, dialogues, [config.seed])
    if as_json:
        print_json({"policy": name, "error_rate": "measured" if error_rate is None else error_rate, **row})
        return
    for transcript in _examples(config, assistant, chosen, show):
        for speaker, text in transcript:
            console.print(
                f"[{'cyan' if speaker == 'bot' else 'white'}]{speaker:>5}[/]  {escape(text)}", highlight=False
            )
        console.print()
    print_table(f"{name} policy, {dialogues} dialogues", _COLUMNS, [_cells(name, _level(error_rate), row)])


def _examples(config: Config, assistant: Assistant, policy: Policy, show: int) -> list[list[tuple[str, str]]]:
    if not show:
        return []
    from bot.nlu.pipeline import NLU
    from bot.text_simulation import TextSimulation

    nlu = NLU.load(config.model_dir, assistant)
    simulation = TextSimulation(assistant, nlu, task_of(assistant), batch=show, seed=config.seed)
    return simulation.run(policy).transcripts


def policy(config: Config, dialogues: int, seeds: int, text_dialogues: int, *, as_json: bool) -> None:
    """Learned against rule policy at the measured error rate, at 0/15/30 %, and through text."""
    assistant = load_assistant(config.assistant)
    policies = {name: _policy(name, config, assistant) for name in ("learned", "rule")}
    levels: dict[str, ErrorModel] = {"measured": error_model(config)}
    levels |= {f"{rate:.0%}": ErrorModel.at(rate) for rate in (0.0, 0.15, 0.3)}
    rows: list[dict[str, Any]] = []
    text_steps = len(policies) * seeds * -(-text_dialogues // TEXT_BATCH) if text_dialogues else 0
    with _progress(len(policies) * len(levels) + text_steps, hidden=as_json) as advance:
        for name, chosen in policies.items():
            for level, model in levels.items():
                row = act_level(chosen, config, assistant, model, dialogues, range(seeds))
                rows.append({"policy": name, "errors": level, "through": "acts", **row})
                advance()
        if text_dialogues:
            for name, chosen in policies.items():
                row = _through_text(chosen, config, assistant, text_dialogues, range(seeds), advance)
                rows.append({"policy": name, "errors": "real NLU", "through": "text", **row})
    if as_json:
        print_json({"dialogues": dialogues, "text_dialogues": text_dialogues, "seeds": seeds, "rows": rows})
    else:
        title = f"{seeds} seeds of {dialogues} dialogues ({text_dialogues} through text), mean [95 % interval]"
        print_table(title, _COLUMNS, [_cells(r["policy"], f"{r['errors']}, {r['through']}", r) for r in rows])


_COLUMNS = ["policy", "errors", "success %", "turns", "reward"]


def _cells(name: str, level: str, row: dict[str, Any]) -> list[str]:
    cells = [name, level]
    for metric, scale in zip(METRICS, (100, 1, 1), strict=True):
        e = {key: value * scale for key, value in row[metric].items()}
        cells.append(f"{e['mean']:.2f} [{e['low']:.2f}, {e['high']:.2f}]")
    return cells


def _level(error_rate: float | None) -> str:
    return "measured" if error_rate is None else f"{error_rate:.0%}"


def _policy(name: str, config: Config, assistant: Assistant) -> Policy:
    try:
        return build_policy(name, config, assistant)
    except ValueError as error:
        raise CommandError(str(error)) from None


def act_level(
    policy: Policy, config: Config, assistant: Assistant, model: ErrorModel, dialogues: int, seeds: Sequence[int]
) -> dict[str, Any]:
    """Success, turns and reward with intervals of dialogues at act level; seeds are apart from training's."""
    settings = SimulationSettings(
        task_of(assistant), errors=(model,), max_turns=config.training.max_turns, thresholds=mask_thresholds(policy)
    )
    apart = [10_000 + seed for seed in seeds]
    return evaluate_policy(policy, assistant.ontology, settings, dialogues, apart)


def _through_text(
    policy: Policy, config: Config, assistant: Assistant, dialogues: int, seeds: Sequence[int], advance: Any
) -> dict[str, Any]:
    from bot.nlu.pipeline import NLU
    from bot.text_simulation import TextSimulation

    nlu = NLU.load(config.model_dir, assistant)
    samples: dict[str, list[list[float]]] = {name: [] for name in METRICS}
    for seed in seeds:
        part: dict[str, list[float]] = {name: [] for name in METRICS}
        for start in range(0, dialogues, TEXT_BATCH):
            batch = min(TEXT_BATCH, dialogues - start)
            simulation = TextSimulation(
                assistant, nlu, task_of(assistant), batch=batch, seed=20_000 + 1000 * seed + start,
                max_turns=config.training.max_turns,
            )  # fmt: skip
            outcome = simulation.run(policy)
            for name in METRICS:
                part[name] += [float(value) for value in getattr(outcome, name)]
            advance()
        for name in METRICS:
            samples[name].append(part[name])
    return {name: asdict(bootstrap(np.array(values, dtype=np.float32))) for name, values in samples.items()}


@contextmanager
def _progress(total: int, *, hidden: bool) -> Iterator[Any]:
    columns = (TextColumn("evaluating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=hidden) as progress:
        task = progress.add_task("evaluating", total=total)
        yield lambda: progress.advance(task)
