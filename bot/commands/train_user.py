"""``rejoinder train user``: simulated users fitted on recorded dialogues, and how well they resemble them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bot.config import Config
from bot.errors import CommandError
from bot.report import console, print_json, print_table
from bot.users import NETWORK
from policies.files import write_atomically
from simulator.corpora.dialogues import CorpusDialogue, split
from simulator.corpora.load import load_corpus
from simulator.users.fit import fit_user
from simulator.users.fitted import FittedUser

MODELS = ("all", "agenda", "neural", "errors")
REPORT, ERRORS = "report.json", "error_model.json"
HELD_OUT = 0.2
"""Share of the dialogues that judge the fit when no held-out file is given."""


def train_user(
    config: Config, corpus: str, files: Sequence[Path], *, held_out: Path | None, model: str, out: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Fit ``model`` (agenda, neural, errors or all) on ``files`` of ``corpus``, write it to ``out`` and report.

    Every file is written whole or not at all; ``report.json`` comes last.
    """
    if model not in MODELS:
        raise CommandError(f"can't fit {model!r}: say one of {', '.join(MODELS)}")
    if not files:
        raise CommandError("give the corpus's files, e.g. rejoinder train user --corpus woz2 woz_train_en.json.xz")
    dialogues = [dialogue for file in files for dialogue in load_corpus(corpus, file)]
    folder = out or config.models / "users" / corpus
    training, judging = dialogues, load_corpus(corpus, held_out) if held_out is not None else []
    if held_out is None and any(dialogue.turns for dialogue in dialogues):
        training, judging = split(dialogues, HELD_OUT, "held out")
    report: dict[str, Any] = {"corpus": corpus, "files": [str(file) for file in files], "folder": str(folder)}
    began = time.perf_counter()
    with _progress(quiet=as_json) as update:
        if model in ("all", "agenda", "neural"):
            fitted = fit_user(training, corpus, files)
            fitted.save(folder)
            report |= _fit(training, judging, fitted, folder, config, update, model)
        if model == "errors" or (model == "all" and any(dialogue.turns for dialogue in dialogues)):
            report["errors"] = _errors(config, dialogues, folder, update)
    report["seconds"] = round(time.perf_counter() - began, 1)
    write_atomically(folder / REPORT, (json.dumps(report, indent=1) + "\n").encode())
    if as_json:
        print_json(report)
    else:
        _show(report, folder)


def _fit(
    training: Sequence[CorpusDialogue], judging: Sequence[CorpusDialogue], fitted: FittedUser, folder: Path,
    config: Config, update: Any, model: str,
) -> dict[str, Any]:  # fmt: skip
    """Learn the network if asked for, and judge both by the held-out dialogues; goals alone are not judged."""
    found: dict[str, Any] = {"agenda": _fitted_summary(fitted)}
    if not any(dialogue.turns for dialogue in training):
        return found
    network = None
    if model in ("all", "neural"):
        network = folder / NETWORK
        found["neural"] = _learn(training, network, config, update)
    try:
        from simulator.users.report import report_on_users
    except ImportError:  # pragma: no cover
        raise CommandError("the report needs matplotlib: install rejoinder[train]") from None
    update("judging", 0.0)
    report = report_on_users(training, judging, fitted, network, folder, stage=lambda what: update(what, 0.5))
    return {**found, "report": report}


def _learn(training: Sequence[CorpusDialogue], network: Path, config: Config, update: Any) -> dict[str, Any]:
    try:
        import torch
    except ImportError:
        raise CommandError("a neural user needs torch: run `make setup`, or install rejoinder[train]") from None
    from policies.devices import choose_device
    from simulator.users.learning import LearningConfig, learn_user

    torch.set_num_threads(1)
    learned = learn_user(
        training,
        LearningConfig(seed=config.seed, device=choose_device(config.training.device)),
        lambda epoch, most, loss: update(f"neural user, validation loss {loss:.3f}", epoch / most),
    )
    learned.save(network)
    return learned.manifest


def _errors(config: Config, dialogues: Sequence[CorpusDialogue], folder: Path, update: Any) -> dict[str, Any]:
    from bot.assistant import load_assistant
    from bot.corpus_errors import corpus_error_model
    from bot.nlu.pipeline import NLU

    assistant = load_assistant(config.assistant)
    nlu = NLU.load(config.model_dir, assistant)
    model = corpus_error_model(
        nlu, assistant.ontology, dialogues, lambda done, total: update("errors of the NLU", done / total)
    )
    write_atomically(folder / ERRORS, (json.dumps(model, indent=1) + "\n").encode())
    return {key: value for key, value in model.items() if key != "confusions"}


def _fitted_summary(fitted: FittedUser) -> dict[str, Any]:
    counts = {
        name: {"mean": c.mean, "low": c.low, "high": c.high, "successes": c.successes, "trials": c.trials,
               "hand_set": c.prior}
        for name, c in fitted.counts.items()
    }  # fmt: skip
    return {**fitted.corpus, "probabilities": counts, "hazard": [list(row) for row in fitted.hazard]}


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Any]:
    """Yields ``update(what, share)``; ``share`` in [0, 1]."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=quiet, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=1.0)
        yield lambda what, share: progress.update(task, description=what, completed=share)


def _show(report: Mapping[str, Any], folder: Path) -> None:
    if "agenda" in report:
        rows = [
            [name.replace("_", " "), f"{c['successes']}/{c['trials']}", c["mean"], f"{c['low']:.2f}-{c['high']:.2f}",
             c["hand_set"]]
            for name, c in report["agenda"]["probabilities"].items()
        ]  # fmt: skip
        print_table(
            f"fitted on {report['agenda']['dialogues']} dialogues",
            ["choice", "seen", "mean", "people", "hand-set"],
            rows,
        )
    if "report" in report:
        _show_report(report["report"])
    if "errors" in report:
        rates = report["errors"]["rates"]
        rows = [[name, rates[name]] for name in ("deletion", "substitution", "insertion")]
        rows += [[f"wrong: {slot}", rate] for slot, rate in rates["per_slot"].items()]
        print_table(f"errors of the NLU in {report['errors']['turns']} turns, per user act", ["error", "rate"], rows)
    console.print(f"written to {folder}", markup=False)


def _show_report(report: Mapping[str, Any]) -> None:
    held_out = report["held_out"]
    rows = []
    for name, score in report["turns"].items():
        ll, f1 = score["log_likelihood"], score["micro_f1"]
        look = report["dialogues"].get(name)
        rows.append(
            [
                name, f"{ll['mean']:.2f} [{ll['low']:.2f}, {ll['high']:.2f}]",
                f"{f1['mean']:.3f} [{f1['low']:.3f}, {f1['high']:.3f}]",
                f"{look['ks_distance']:.3f}" if look else "", f"{look['mean_turns']:.1f}" if look else "",
                f"{100 * look['goal_change']:.0f}" if look else "",
            ]
        )  # fmt: skip
    rows.append(["recorded", "", "", "", f"{held_out['mean_turns']:.1f}", f"{100 * held_out['goal_change']:.0f}"])
    columns = ["user", "log-likelihood/turn", "micro-F1", "KS of lengths", "turns", "goal change %"]
    print_table(f"{held_out['dialogues']} held-out dialogues, {held_out['turns']} turns", columns, rows)
