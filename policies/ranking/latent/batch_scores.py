"""Scores that change slowly, worked out in one go (by a nightly job) and looked up at the moment of speaking.

Each function gives table -> key -> score, finite numbers, as a static key-value store keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policies.ranking.latent.collaborative import Collaborative
from policies.ranking.latent.histories import UserHistory
from policies.ranking.search.documents import Catalogue
from policies.ranking.search.needs import UserNeeds
from policies.ranking.search.rates import ViewCounts

Scores = Mapping[str, Mapping[str, float]]


def affinity_scores(model: Collaborative, users: Iterable[UserHistory] = (), *, most: int = 100) -> Scores:
    """User -> item -> affinity, the ``most`` best items of each: the users of the training, and ``users`` anew.

    ``""`` stands for a user of whom nothing is known (popularity).
    """
    histories = {name: UserHistory(name) for name in ("", *model.users)} | {user.name: user for user in users}
    found: dict[str, dict[str, float]] = {}
    for name, user in histories.items():
        scores = model.scores_of(user)
        found[name] = {item: scores[item] for item in sorted(scores, key=lambda item: (-scores[item], item))[:most]}
    return found


def popularity_scores(views: ViewCounts, now: float) -> Scores:
    """Key of a document -> ``click_rate``, ``choice_rate``, ``choice_rate_spread``, ``daily_choices``, with priors."""
    rates = views.rates(now)
    columns = {
        "click_rate": rates.click, "choice_rate": rates.choice, "choice_rate_spread": rates.spread,
        "daily_choices": rates.daily,
    }  # fmt: skip
    return {
        document.key: {name: float(column[n]) for name, column in columns.items()}
        for n, document in enumerate(views.catalogue.documents)
    }


def need_scores(users: Mapping[str, UserNeeds], catalogue: Catalogue, now: float) -> Scores:
    """User -> category -> need at ``now`` (seconds); ``""`` stands for a user of whom nothing is known."""
    everybody = {"": UserNeeds(), **users}
    return {
        name: {category: user.need(category, now) for category in catalogue.categories}
        for name, user in everybody.items()
    }
