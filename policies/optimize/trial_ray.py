"""Trials on a Ray cluster: the interface of ``trial_process.TrialProcess``, each trial on whichever node has room.

Needs the extra [ray]. A trial whose worker dies is run again, in a new one, a limited number of times: a node may have
gone, but a trial may also kill its worker whenever it runs.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from policies.optimize.ray_connection import connected
from policies.optimize.trial_process import START_SECONDS, Hopeless, Objective, Setting

RUNS = 3
"""How often a trial is begun at most."""


class TrialActor:
    """A Ray worker that tries one setting after another; renewed when it dies or a trial takes too long."""

    def __init__(self, objective: Objective, address: str | None = None, without: str = "--ray") -> None:
        self._ray = connected(address, without)
        self._objective = objective
        self._actor: Any = None

    def attempt(
        self, setting: Setting, seconds: float, hopeless: Callable[[int, float], bool]
    ) -> tuple[float | None, str]:
        """See ``TrialProcess.attempt``; the time of a trial that is run again counts from its last beginning."""
        why = ""
        for _ in range(RUNS):
            try:
                return self._attempt(setting, seconds, hopeless)
            except self._ray.exceptions.GetTimeoutError:
                self.end()
                return None, f"not done after {seconds:g} s: it was stopped"
            except self._ray.exceptions.RayError as error:
                why = (str(error).strip().splitlines() or ["no reason given"])[0]
                self.end()
        return None, f"its worker died {RUNS} times: {why}"

    def end(self) -> None:
        """Stop the worker, if there is one."""
        actor, self._actor = self._actor, None
        if actor is not None:
            self._ray.kill(actor)

    def _attempt(
        self, setting: Setting, seconds: float, hopeless: Callable[[int, float], bool]
    ) -> tuple[float | None, str]:
        if self._actor is None:
            self._actor = self._ray.remote(num_cpus=0, scheduling_strategy="SPREAD")(_TrialHost).remote(self._objective)
            self._ray.get(self._actor.ready.remote(), timeout=START_SECONDS)
        said, *rest = self._ray.get(self._actor.begin.remote(dict(setting)), timeout=seconds)
        deadline = time.monotonic() + seconds
        while said == "step":
            call = self._actor.go_on.remote(hopeless(*rest))
            said, *rest = self._ray.get(call, timeout=max(deadline - time.monotonic(), 0.001))
        if said == "value":
            return (rest[0], "") if math.isfinite(rest[0]) else (None, f"its value is {rest[0]}")
        return None, str(rest[0])


class _TrialHost:
    """In the worker: an objective runs in a thread that waits at each report for what is thought of it."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._said: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self._answers: queue.Queue[bool] = queue.Queue()

    def ready(self) -> None:
        """It has come up."""

    def begin(self, setting: Setting) -> tuple[Any, ...]:
        """Start a trial; its first report or its end."""
        threading.Thread(target=self._run, args=(setting,), daemon=True).start()
        return self._said.get()

    def go_on(self, hopeless: bool) -> tuple[Any, ...]:
        """Answer the last report; the next one or the end."""
        self._answers.put(hopeless)
        return self._said.get()

    def _run(self, setting: Setting) -> None:
        def report(step: int, value: float) -> None:
            self._said.put(("step", int(step), float(value)))
            if self._answers.get():
                raise Hopeless

        try:
            self._said.put(("value", float(self._objective(setting, report))))
        except Hopeless:
            self._said.put(("hopeless", ""))
        except Exception as error:
            self._said.put(("error", f"{type(error).__name__}: {error}"))
