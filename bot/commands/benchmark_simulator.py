"""``rejoinder benchmark simulator``: how many simulated user turns and dialogues a second on one core."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.errors import CommandError
from bot.report import console, print_json, print_table

if TYPE_CHECKING:
    from simulator.pydial.dialogues import BenchmarkDialogues
    from simulator.pydial.domain import Domain

POLICIES = ("rule", "random")


def simulator(
    domain: str, files: tuple[Path | None, Path | None], env: int, num_envs: int, policy: str, seconds: float,
    view: str, *, as_json: bool,
) -> None:  # fmt: skip
    """Play for ``seconds`` and report speed; observations of ``view`` are made each turn (``none``: not)."""
    if policy not in POLICIES:
        raise CommandError(f"policy {policy!r}: say one of {', '.join(POLICIES)}")
    dialogues = _open(open_domain(domain, files), env, num_envs, view)
    report = {
        "domain": dialogues.domain.name, "env": env, "num_envs": num_envs, "policy": policy, "observations": view,
        **_play(dialogues, policy, seconds, view), "cores": 1, "machine_cores": os.cpu_count(),
    }  # fmt: skip
    if as_json:
        print_json(report)
        return
    print_table("one process, one core", ["measure", "value"], [[name, value] for name, value in report.items()])


def open_domain(name: str, files: tuple[Path | None, Path | None]) -> Domain:
    """A domain by name, or by its two files; CommandError says what is wrong."""
    try:
        from simulator.pydial.domain import DomainError, find_domain, load_domain
    except ImportError:
        raise CommandError("the benchmark environments need numba: install rejoinder[train]") from None
    ontology, table = files
    if (ontology is None) != (table is None):
        raise CommandError("give both --ontology and --table, or neither")
    try:
        return load_domain(ontology, table) if ontology and table else load_domain(*find_domain(name))
    except DomainError as error:
        raise CommandError(str(error)) from None


def _open(domain: Domain, env: int, num_envs: int, view: str) -> BenchmarkDialogues:
    from simulator.pydial.dialogues import VIEWS, BenchmarkDialogues
    from simulator.pydial.settings import environment

    if view not in (*VIEWS, "none"):
        raise CommandError(f"observations {view!r}: say one of {', '.join((*VIEWS, 'none'))}")
    try:
        settings = environment(env)
    except ValueError as error:
        raise CommandError(str(error)) from None
    with console.status("compiling the simulator (a minute at first, then kept)"):
        dialogues = BenchmarkDialogues(domain, settings, range(num_envs))
        for policy in POLICIES:
            _play(dialogues, policy, 0.0, view)
    return dialogues


def _play(dialogues: BenchmarkDialogues, policy: str, seconds: float, view: str) -> dict[str, Any]:
    """Play on for ``seconds``, new dialogues in place of finished ones; at least one step."""
    rng = np.random.default_rng(0)
    turns = finished = successes = 0
    began, cpu = time.perf_counter(), time.process_time()
    while True:
        if policy == "rule":
            actions = dialogues.handcrafted()
        else:
            noise = rng.random(dialogues.masks.shape, dtype=np.float32)
            actions = np.argmax(noise * dialogues.masks, axis=1).astype(np.int32)
        dialogues.step(actions)
        over = np.flatnonzero(dialogues.state.over)
        turns += len(actions)
        finished += len(over)
        successes += int(dialogues.state.success[over].sum())
        dialogues.reset(over)
        if view != "none":
            dialogues.observe(view)
        if time.perf_counter() - began >= seconds:
            break
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "user_turns_per_s": round(turns / wall), "dialogues_per_s": round(finished / wall),
        "user_turns_per_cpu_s": round(turns / max(cpu, 1e-9)), "dialogues_per_cpu_s": round(finished / max(cpu, 1e-9)),
        "success": round(successes / max(finished, 1), 4), "seconds": round(wall, 2),
    }  # fmt: skip
