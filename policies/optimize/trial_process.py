"""Trials in a process of their own: one that kills its process or never ends costs that process only (stdlib)."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, Protocol

Setting = Mapping[str, Any]
Report = Callable[[int, float], None]
"""Told how good a trial is at a step (from 0); raises `Hopeless` when it is not worth going on."""
Objective = Callable[[Setting, Report], float]
"""What a setting is worth; called in another process, so it is picklable."""
START_SECONDS = 300.0
"""How long a process may take to begin."""


class Hopeless(Exception):
    """Raised in an objective by its report: the trial is given up."""


class Bench(Protocol):
    """Where settings are tried, one after another."""

    def attempt(
        self, setting: Setting, seconds: float, hopeless: Callable[[int, float], bool]
    ) -> tuple[float | None, str]:
        """See ``TrialProcess.attempt``."""
        ...

    def end(self) -> None:
        """Stop it."""
        ...


class TrialProcess:
    """A process that tries one setting after another, renewed when one kills it or takes too long."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def attempt(
        self, setting: Setting, seconds: float, hopeless: Callable[[int, float], bool]
    ) -> tuple[float | None, str]:
        """(value, "") of a finished trial, (None, "") of one given up, (None, why) of one that failed.

        ``seconds``: the most it may take. ``hopeless`` is asked at every (step, value) that the trial reports.
        """
        try:
            connection = self._begin()
            connection.send(dict(setting))
            deadline = time.monotonic() + seconds
            while connection.poll(max(deadline - time.monotonic(), 0.0)):
                said, *rest = connection.recv()
                if said == "step":
                    connection.send(hopeless(*rest))
                elif said == "value":
                    number = float(rest[0])
                    return (number, "") if math.isfinite(number) else (None, f"its value is {number}")
                else:
                    return None, str(rest[0])
        except (EOFError, OSError):
            code = self._exit_code()
            self.end()
            return None, f"its process ended with exit code {code}"
        self.end()
        return None, f"not done after {seconds:g} s: it was stopped"

    def end(self) -> None:
        """Stop the process, if there is one."""
        process, self._process = self._process, None
        connection, self._connection = self._connection, None
        if process is not None:
            process.terminate()
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()
        if connection is not None:
            connection.close()

    def _begin(self) -> Connection:
        if self._process is not None and self._process.is_alive() and self._connection is not None:
            return self._connection
        self.end()
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._objective), daemon=True)
        self._process.start()
        theirs.close()
        if not self._connection.poll(START_SECONDS):
            raise EOFError
        self._connection.recv()
        return self._connection

    def _exit_code(self) -> int | None:
        if self._process is None:
            return None
        self._process.join(5)
        return self._process.exitcode


def _serve(connection: Connection, objective: Objective) -> None:
    """In the process: try one setting after another until the other end is closed."""

    def report(step: int, value: float) -> None:
        connection.send(("step", int(step), float(value)))
        if connection.recv():
            raise Hopeless

    try:
        connection.send("ready")
        while True:
            setting = connection.recv()
            try:
                answer: tuple[Any, ...] = ("value", float(objective(setting, report)))
            except Hopeless:
                answer = ("hopeless", "")
            except Exception as error:
                answer = ("error", f"{type(error).__name__}: {error}")
            connection.send(answer)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return
