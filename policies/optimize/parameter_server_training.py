"""Conducting a training on a parameter server: advance, look, write down; go back there when something died."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from policies.optimize.parameter_server import State
from policies.optimize.parameter_server_files import ServerCheckpoints
from policies.optimize.parameter_server_workers import Group, Snapshot
from policies.optimize.ray_connection import WorkerError

TRIES = 8
"""Deaths in a row without a new checkpoint after which training gives up."""
LOOK_AHEAD = 16
"""Updates that are under way at once, at most."""


class Driver(Protocol):
    """Whoever looks at a training while it runs."""

    def until(self, update: int) -> int:
        """The next update after ``update`` at which it wants to look."""
        ...

    def reached(self, update: int, figures: list[dict[str, float]], group: Group) -> None:
        """``update`` updates are done; ``figures`` of those since the last call."""
        ...

    def state(self) -> State:
        """All that it must remember."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was taken."""
        ...


@dataclass(frozen=True)
class Course:
    """``updates`` in all, ``rate(update)`` the learning rate; a checkpoint every ``every`` updates or ``seconds``.

    ``pause``: seconds, doubled at each death in a row, before what died is replaced: it takes Ray a while to notice.
    """

    updates: int
    rate: Callable[[int], float]
    every: int | None = None
    seconds: float = 30.0
    pause: float = 0.1


@dataclass
class Finish:
    """How a training ended: ``recoveries`` says what died, each time; ``seconds`` and ``updates`` of this run.

    From update ``first`` on it did as far as ``last``; more ``updates`` than these were done again after a death.
    """

    interrupted: bool = False
    recoveries: list[str] = field(default_factory=list)
    seconds: float = 0.0
    updates: int = 0
    first: int = 0
    last: int = 0
    checkpoint_seconds: float = 0.0


def conduct(
    group: Group,
    course: Course,
    driver: Driver,
    checkpoints: ServerCheckpoints | None = None,
    *,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Finish:
    """All updates of ``course``, from the last of ``checkpoints`` on with ``resume``, else anew.

    What dies is replaced, and everything goes back to the last checkpoint (in memory where ``checkpoints`` is None):
    the result is that of an undisturbed run. ``stop`` is asked now and then; where it says so, a checkpoint is written
    and training ends. WorkerError after TRIES deaths in a row.
    """
    training = _Conducting(group, course, driver, checkpoints)
    training.begin(resume)
    training.finish.first = training.update
    training.finish.checkpoint_seconds = 0.0  # the first one waited for whoever was still coming up
    began = time.perf_counter()
    try:
        while training.update < course.updates and not training.finish.interrupted:
            training.survive(stop)
    except KeyboardInterrupt:  # at an unknown place: the last checkpoint counts
        training.finish.interrupted = True
    training.finish.last = training.update
    training.finish.seconds = time.perf_counter() - began
    return training.finish


class _Conducting:
    """Where a training is."""

    def __init__(self, group: Group, course: Course, driver: Driver, checkpoints: ServerCheckpoints | None) -> None:
        self.group, self.course, self.driver, self.checkpoints = group, course, driver, checkpoints
        self.finish, self.update, self.deaths, self.broken = Finish(), 0, 0, False
        self.kept: tuple[Snapshot, State] | None = None
        self.written = time.monotonic()

    def begin(self, resume: bool) -> None:
        """From the last checkpoint, or from a first one of how things are."""
        found = self.checkpoints.load() if self.checkpoints is not None and resume else None
        if found is not None:
            self.group.recover(found[0])
            self.driver.load_state(found[1])
            self.update = found[0].updates
            return
        if self.checkpoints is not None:
            self.checkpoints.clear()
        self.write()

    def survive(self, stop: Callable[[], bool]) -> None:
        """On to the next place to look, after a death from the last checkpoint."""
        try:
            if self.broken:
                self._go_back()
            self._advance()
            self.finish.interrupted = stop()
            if self._due() or self.finish.interrupted:
                self.write()
        except WorkerError as error:
            self.deaths += 1
            if self.deaths > TRIES:
                raise WorkerError(f"{error}; that was the {self.deaths}th time in a row: training gave up") from error
            self.finish.recoveries.append(str(error))
            self.broken = True
            time.sleep(self.course.pause * 2**self.deaths)

    def write(self) -> None:
        """A checkpoint of now."""
        began = time.perf_counter()
        now = self.group.snapshot(), self.driver.state()
        if self.checkpoints is None:
            self.kept = now
        else:
            self.checkpoints.save(*now)
        self.written, self.deaths = time.monotonic(), 0
        self.finish.checkpoint_seconds += time.perf_counter() - began

    def _advance(self) -> None:
        until = min(self.driver.until(self.update), self.course.updates, self.update + LOOK_AHEAD)
        if self.course.every is not None:
            until = min(until, (self.update // self.course.every + 1) * self.course.every)
        figures = self.group.advance(self.update, [self.course.rate(update) for update in range(self.update, until)])
        self.finish.updates += until - self.update
        self.update = until
        self.driver.reached(until, figures, self.group)

    def _due(self) -> bool:
        if self.course.every is not None and self.update % self.course.every == 0:
            return True
        return time.monotonic() - self.written >= self.course.seconds

    def _go_back(self) -> None:
        last = self.kept if self.checkpoints is None else self.checkpoints.load()
        assert last is not None
        self.group.recover(last[0])
        self.driver.load_state(last[1])
        self.update, self.broken = last[0].updates, False
