"""Clusters, topics and collaborative vectors: what they find, that serving equals training, unknown users, files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import NMF

from policies.ranking.latent.batch_scores import affinity_scores, need_scores, popularity_scores
from policies.ranking.latent.clusters import UserClusters
from policies.ranking.latent.collaborative import Collaborative, FactorSettings
from policies.ranking.latent.histories import LatentModelError, UserHistory
from policies.ranking.latent.topics import Topics
from policies.ranking.search.documents import Catalogue, Document
from policies.ranking.search.needs import UserNeeds
from policies.ranking.search.rates import DAY, ViewCounts

NAMES = ("visits", "mood")
FOODS = ("noodles lime basil coconut curry", "pasta olive basil cheese wine", "tacos corn beans avocado lime")


def two_groups() -> UserClusters:
    rng = np.random.default_rng(0)
    rare = rng.normal([2, -0.5], [0.5, 0.1], size=(40, 2))
    regular = rng.normal([20, 0.5], [2.0, 0.1], size=(80, 2))
    return UserClusters.fit(np.concatenate([rare, regular]), NAMES, 2)


def three_topics() -> tuple[Topics, list[str]]:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(FOODS[n % 3].split(), size=12)) for n in range(60)]
    return Topics.fit(texts, 3), texts


def two_tastes(settings: FactorSettings | None = None) -> Collaborative:
    """Even users choose items 0-9, odd ones 10-19."""
    rng = np.random.default_rng(0)
    choices = [(f"u{u}", f"v{rng.integers(10) + 10 * (u % 2)}", 1.0) for u in range(60) for _ in range(5)]
    return Collaborative.fit(choices, settings or FactorSettings(factors=4))


CLUSTERS, (TOPICS, TEXTS), TASTES = two_groups(), three_topics(), two_tastes()


def test_groups_are_found_missing_numbers_are_left_out_and_strangers_have_the_shares() -> None:
    assert CLUSTERS.features(UserHistory(numbers={"visits": 19, "mood": 0.5}))["cluster_0"] > 0.99
    assert CLUSTERS.features(UserHistory(numbers={"mood": -0.5}))["cluster_1"] > 0.99
    for nothing in ({}, {"visits": float("nan")}, {"age": 3.0}):
        assert CLUSTERS.features(UserHistory(numbers=nothing))["cluster_0"] == pytest.approx(2 / 3, abs=0.02)


def test_topics_are_found_and_served_as_scikit_learn_would() -> None:
    heard = [TOPICS.features(UserHistory(said=text)) for text in TEXTS]
    topics = [max(shares, key=lambda name: shares[name]) for shares in heard]
    assert len(set(topics)) == 3
    assert topics == topics[:3] * 20
    mixed = TOPICS.features(UserHistory(said="coconut curry and noodles, then tacos with avocado"))
    assert sorted(mixed.values())[0] < 0.1
    model = NMF(3, solver="mu", max_iter=2000, tol=0)
    rows = np.abs(np.random.default_rng(1).normal(size=(5, len(TOPICS.words))))
    model.components_, model.n_components_, model._n_components = TOPICS.topics, 3, 3
    model.n_features_in_ = rows.shape[1]
    assert np.stack([TOPICS.weights(row) for row in rows]) == pytest.approx(model.transform(rows), abs=0.02)


def test_who_chose_alike_is_offered_alike_and_strangers_get_what_is_popular() -> None:
    for user, own in (("u0", range(10)), ("u1", range(10, 20))):
        scores = TASTES.scores_of(UserHistory(user))
        assert {int(item[1:]) for item in sorted(scores, key=lambda item: -scores[item])[:8]} <= set(own)
    popular = TASTES.scores_of(UserHistory("stranger", choices={"not an item": 1.0}))
    assert popular == dict(zip(TASTES.items, TASTES.popularity.tolist(), strict=True))
    newcomer = TASTES.scores_of(UserHistory("stranger", choices={"v3": 1.0}))
    first, second = (np.mean([newcomer[f"v{n}"] for n in own]) for own in (range(4, 10), range(10, 20)))
    assert first > 2 * abs(second)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from(TASTES.items), st.floats(0.1, 5), min_size=1, max_size=6), st.integers(0, 99))
def test_a_newcomers_vector_is_the_least_squares_solution(choices: dict[str, float], seed: int) -> None:
    trust = np.array([TASTES.settings.confidence * choices[i] if i in choices else 1.0 for i in TASTES.items])
    wanted = np.array([float(item in choices) for item in TASTES.items])

    def loss(vector: np.ndarray) -> float:
        gap = wanted - TASTES.item_vectors @ vector
        return float(trust @ gap**2 + TASTES.settings.regularization * vector @ vector)

    best = TASTES.vector_of(choices)
    other = best + np.random.default_rng(seed).normal(scale=0.1, size=best.shape)
    assert loss(best) < loss(other)


@pytest.mark.parametrize("model", [CLUSTERS, TOPICS, TASTES], ids=lambda model: type(model).__name__)
def test_models_are_read_as_they_were_written_and_damage_is_named(model, tmp_path) -> None:
    path = tmp_path / "model.json"
    with pytest.raises(LatentModelError, match=r"model\.json: no such file"):
        type(model).load(path)
    model.save(path)
    again = type(model).load(path)
    users = (UserHistory("u0", {"visits": 3.0}, "coconut wine", {"v1": 1.0}), UserHistory())
    for user in users:
        features = model.features(user)
        assert again.features(user) == pytest.approx(features, abs=1e-5)
        assert np.isfinite(list(features.values())).all()
        assert features.keys() == model.features(users[0]).keys()
    said = json.loads(path.read_text())
    for name in said:
        path.write_text(json.dumps({**said, name: None}))
        with pytest.raises(LatentModelError, match="again"):
            type(model).load(path)
    path.write_text("{")
    with pytest.raises(LatentModelError, match="again"):
        type(model).load(path)


def test_scores_for_the_nightly_job_hold_everybody_and_a_stranger() -> None:
    affinity = affinity_scores(TASTES, [UserHistory("new", choices={"v15": 1.0})], most=5)
    assert set(affinity) == {"", "new", *TASTES.users}
    assert all(len(scores) == 5 for scores in affinity.values())
    assert max(affinity["new"], key=lambda item: affinity["new"][item]) in {f"v{n}" for n in range(10, 20)}
    known = Catalogue([Document("A", "thai", "thai"), Document("B", "welsh", "welsh")])
    assert set(popularity_scores(ViewCounts(known), 0.0)) == {"A", "B"}
    needs = need_scores({"ann": UserNeeds().chosen("thai", 0.0)}, known, DAY)
    assert needs["ann"]["welsh"] == needs[""]["welsh"]
    assert needs["ann"]["thai"] != needs[""]["thai"]


def test_data_that_can_not_be_learned_from_is_refused() -> None:
    with pytest.raises(ValueError, match="ask for fewer"):
        UserClusters.fit(np.zeros((1, 2)), NAMES, 2)
    with pytest.raises(ValueError, match="visits is infinite"):
        UserClusters.fit(np.array([[np.inf, 0.0], [1.0, 0.0]]), NAMES, 1)
    with pytest.raises(ValueError, match="no word"):
        Topics.fit(["a", "b"], 2)
    with pytest.raises(ValueError, match="nobody"):
        Collaborative.fit([])
    with pytest.raises(ValueError, match="weight nan"):
        Collaborative.fit([("u", "v", float("nan"))])
