"""Simulated users and the real selection: the pools, rankers and tastes that serve people, at the level of acts.

Everybody's visits of a day come first to last; each refused offer is followed by another one until the user takes one
up or leaves. What happens becomes slates with feedback, as the log has them. In mode ``learned`` the nightly job runs
after the days of ``NIGHTS``, with its gate (training only: LightGBM).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bot.config import SelectionConfig
from bot.selection import Selection
from bot.selection_store import load_selection
from bot.selection_training import train_selection
from memory.ontology import Ontology
from memory.slates import VENUES
from memory.tastes import Tastes
from policies.ranking.logged_slates import LoggedSlate
from simulator.feedback_users import FeedbackScene, FeedbackUsers, Visits

NIGHTS = (1, 5, 12)
"""Days after which what was logged so far is learned from."""
LATEST = 6000
"""Slates that are learned from, the latest ones: tastes change."""
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class FeedbackRun:
    """One way to choose in one world, day by day (D,): ``visits``, ``offers``, and of them those taken up and booked.

    ``mode`` of the selection; ``remembers``: whether it knows what each person did before. ``rankers``: nights after
    which a new ranker of venues passed its gate.
    """

    mode: str
    remembers: bool
    seed: int
    visits: list[int]
    offers: list[int]
    accepted: list[int]
    booked: list[int]
    rankers: int


def run_feedback(
    ontology: Ontology, config: SelectionConfig, scene: FeedbackScene, users: int, seed: int,
    *, remembers: bool = True, progress: Callable[[], None] = lambda: None,
) -> FeedbackRun:  # fmt: skip
    """``users`` with hidden tastes of ``seed`` before what ``config`` chooses; equal arguments give an equal run.

    Without ``remembers`` everybody is a stranger at every visit. ``progress`` hears of every day.
    """
    people = FeedbackUsers(ontology.entity_values, users, scene, seed)
    world = _World(ontology, users, seed, remembers)
    counts: list[tuple[int, int, int, int]] = []
    rankers = 0
    with tempfile.TemporaryDirectory(prefix="rejoinder-") as folder:
        selection = load_selection(config, Path(folder), ontology)
        for day in range(scene.days):
            counts.append(world.day(selection, people.day(), day))
            if config.mode == "learned" and day in NIGHTS:
                report = train_selection(world.slates[-LATEST:], config, Path(folder), seed=seed)
                rankers += report["kinds"].get(VENUES, {}).get("result") == "promoted"
                selection = load_selection(config, Path(folder), ontology)
            progress()
    visits, offers, accepted, booked = (list(column) for column in zip(*counts, strict=True))
    return FeedbackRun(config.mode, remembers, seed, visits, offers, accepted, booked, rankers)


class _World:
    """The users' tastes as the bot knows them, and the log."""

    def __init__(self, ontology: Ontology, users: int, seed: int, remembers: bool) -> None:
        self.ontology, self.seed, self.remembers = ontology, seed, remembers
        self.tastes = [Tastes() for _ in range(users)]
        self.slates: list[LoggedSlate] = []

    def day(self, selection: Selection, visits: Visits, day: int) -> tuple[int, int, int, int]:
        """One day: (visits, offers, offers taken up, offers booked)."""
        offers = accepted = booked = 0
        for visit in range(len(visits.users)):
            tried, took, books = self._visit(selection, visits, visit, day)
            offers, accepted, booked = offers + tried, accepted + took, booked + books
        return len(visits.users), offers, accepted, booked

    def _visit(self, selection: Selection, visits: Visits, visit: int, day: int) -> tuple[int, bool, bool]:
        """One visit: (offers, whether the last was taken up, whether it was booked)."""
        user, wishes = int(visits.users[visit]), visits.wishes[visit]
        rng = np.random.default_rng([self.seed, 2, day, user])
        named = wishes >= 0
        fits = (self.ontology.entity_values[:, named] == wishes[named]).all(axis=1)
        person, session, time = f"u{user}", f"u{user}-{day}", day * DAY
        for attempt in range(visits.scene.attempts):
            if not fits.any():
                return attempt, False, False
            venue, logged = self._offer(selection, fits, int(named.sum()), attempt, user, rng)
            took, books, leaves = visits.reaction(visit, attempt, venue)
            done = ("accepted", "booked")[: 1 + books] if took else ("abandoned" if leaves else "refused",)
            name = self.ontology.entity_names[venue]
            if logged is not None:
                feedback = tuple((action, name, time) for action in done)
                logged = replace(logged, person=person, session=session, time=time, feedback=feedback)
                self.slates.append(logged)
                pool = logged.slate.candidates[logged.said].pool
                tastes = self.tastes[user].shown([(name, pool)], time)
                for _ in done:
                    tastes = tastes.acted(name, pool, "positive" if took else "negative")
                if self.remembers:
                    self.tastes[user] = tastes
            if took or leaves:
                return attempt + 1, took, books
            fits[venue] = False
        return visits.scene.attempts, False, False

    def _offer(
        self, selection: Selection, fits: np.ndarray[tuple[int], np.dtype[np.bool_]], wishes: int, attempt: int,
        user: int, rng: np.random.Generator,
    ) -> tuple[int, LoggedSlate | None]:  # fmt: skip
        """The venue that the selection offers, and its slate without feedback; None when nothing was to be chosen."""
        venues, tastes = selection.venues, self.tastes[user]
        everything = np.flatnonzero(fits).tolist()
        query = f"{len(self.slates)}"
        sources, match = venues.sources(tastes, fits), venues.match(tastes, wishes, attempt)
        choice = selection.selector.choose(VENUES, query, sources, match, everything, rng, tastes)
        assert choice is not None  # something fits
        slate = choice.slate
        return choice.number, None if slate is None else LoggedSlate(query, query, "", 0.0, slate)
