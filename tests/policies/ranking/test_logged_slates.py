"""Slates in files and what is estimated from them: a round trip, plain words for bad lines, and the truth in reach."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from memory.slates import OfferedCandidate, OfferedSlate
from policies.ranking.labels import build_training_set
from policies.ranking.logged_slates import LoggedSlate, LoggedSlateError, read_slates, slate_to_json, training_slates
from policies.ranking.offline_evaluation import EvaluationSettings, OfflineEvaluationError
from policies.ranking.slate_evaluation import RankedTarget, SlateLog, editors, evenly

WORTH = {"accepted": 0.5, "booked": 1.0, "thumbs_up": 0.5}
QUICK = EvaluationSettings(resamples=200)


def logged(number: int, rng: np.random.Generator, sizes=(4,), exploration: float = 1.0) -> LoggedSlate:
    """Candidates in pool "table"; who is said earns 1 with a probability that is its feature."""
    size = int(rng.choice(sizes))
    good = rng.random(size).round(3)
    chance = np.full(size, exploration / size)
    chance[0] += 1 - exploration
    said = int(rng.choice(size, p=chance))
    order = [said, *(i for i in range(size) if i != said)]
    candidates = tuple(
        OfferedCandidate(f"v{i}", "table", {"table": i}, (float(good[i]), None), float(chance[i]), None, i == said)
        for i in order
    )
    slate = OfferedSlate(
        "venues", f"q{number}", "learned", {"table": 1.0}, exploration, "", ("good", "unknown"), candidates
    )
    happy = rng.random() < good[said]
    feedback = (("booked" if happy else "refused", f"v{said}", float(number)),)
    return LoggedSlate(f"q{number}", f"q{number}", f"p{number % 50}", float(number), slate, feedback)


@pytest.fixture(scope="module")
def uniform() -> list[LoggedSlate]:
    rng = np.random.default_rng(0)
    return [logged(i, rng, (3, 4, 5)) for i in range(1500)]


class Good:
    """Ranks by the first feature."""

    version = "good"

    def aligned(self, features, names):
        return features.astype(np.float32)

    def score(self, features):
        return features[:, 0]


def test_a_file_gives_back_what_was_written(tmp_path: Path, uniform: list[LoggedSlate]) -> None:
    path = tmp_path / "slates.jsonl"
    path.write_text("\n".join(slate_to_json(item) for item in uniform[:50]) + "\n\n")
    assert read_slates(path) == uniform[:50]
    assert json.loads(path.read_text().splitlines()[0])["candidates"][1]["position"] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda body: body.pop("kind"), "kind"),
        (lambda body: body.pop("feedback"), "'feedback' is missing"),
        (lambda body: body["candidates"][0].update(propensity=1.5), "propensity of v"),
        (lambda body: body["candidates"][0].update(propensity=0.0), "above 0 where it was said"),
        (lambda body: body["candidates"][0].update(said=False), "exactly one of them is said"),
        (lambda body: body["candidates"][1].update(key=body["candidates"][0]["key"]), "a key is there twice"),
        (lambda body: body["candidates"][0].update(features=[1.0]), "has 1 features"),
        (lambda body: body["feedback"][0].update(action="danced"), "'danced' is none of"),
        (lambda body: body["feedback"][0].update(candidate="nobody"), "'nobody' is no candidate"),
        (lambda body: body.update(candidates=3), "not a slate"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, uniform: list[LoggedSlate], change, said: str) -> None:
    body = json.loads(slate_to_json(uniform[0]))
    change(body)
    path = tmp_path / "slates.jsonl"
    path.write_text(slate_to_json(uniform[1]) + "\n" + json.dumps(body))
    with pytest.raises(LoggedSlateError) as error:
        read_slates(path)
    assert str(error.value).startswith(f"{path}:2: ")
    assert said in str(error.value)


def test_files_without_slates_are_refused(tmp_path: Path, uniform: list[LoggedSlate]) -> None:
    path = tmp_path / "slates.jsonl"
    line = slate_to_json(uniform[0])
    for content, said in ((b"", "no slate"), (b"\xff\xfe", "UTF-8"), (b"[1]", ":1: list"), (b"{", ":1: not JSON")):
        path.write_bytes(content)
        with pytest.raises(LoggedSlateError, match=said):
            read_slates(path)
    path.write_text(f"{line}\n{line}\n")
    with pytest.raises(LoggedSlateError, match="there twice"):
        read_slates(path)


def test_the_truth_is_within_every_interval(uniform: list[LoggedSlate]) -> None:
    log = SlateLog.of(uniform, WORTH)
    truth = np.mean([max(c.features[0] or 0 for c in item.slate.candidates) for item in uniform])
    target = [replace(item.slate, exploration=0.0) for item in uniform]
    greedy = SlateLog.of([replace(i, slate=s) for i, s in zip(uniform, target, strict=True)], WORTH)
    estimates = {row["estimator"]: row for row in greedy.estimates(RankedTarget(Good()), QUICK)}  # type: ignore[arg-type]
    assert set(estimates) == {"replay", "ips", "snips", "dr"}
    for name, row in estimates.items():
        assert row["low"] - 0.02 < truth < row["high"] + 0.02, name
    narrow = {name: row["high"] - row["low"] for name, row in estimates.items()}
    assert narrow["dr"] < narrow["ips"], "the model explains the feature"
    assert log.earned(QUICK).value == pytest.approx(0.5, abs=0.05)
    assert log.estimates(evenly, QUICK)[1]["value"] == pytest.approx(log.earned(QUICK).value)


def test_replay_is_for_uniform_logs_only() -> None:
    rng = np.random.default_rng(1)
    log = SlateLog.of([logged(i, rng, (4,), exploration=0.3) for i in range(200)], WORTH)
    rows = {row["estimator"]: row for row in log.estimates(editors, QUICK)}
    assert "uniformly" in rows["replay"]["refused"]
    assert rows["snips"]["value"] == pytest.approx(log.earned(QUICK).value, abs=0.1)
    with pytest.raises(OfflineEvaluationError, match="no slate"):
        SlateLog.of([], WORTH)


def test_a_search_is_one_slate_to_learn_from(uniform: list[LoggedSlate]) -> None:
    refused, taken = uniform[:2]
    keys = {"v0": "a", "v1": "b", "v2": "c", "v3": "d", "v4": "e"}

    def renamed(item: LoggedSlate, prefix: str) -> LoggedSlate:
        candidates = tuple(replace(c, key=prefix + keys[c.key]) for c in item.slate.candidates)
        said = candidates[0].key
        action = "refused" if prefix == "x" else "accepted"
        slate = replace(item.slate, candidates=candidates)
        return replace(item, session="s", slate=slate, feedback=((action, said, 1.0), ("thumbs_down", said, 1.0)))

    members = [renamed(refused, "x"), renamed(taken, "y")]
    members[1] = replace(members[1], feedback=(*members[1].feedback, ("thumbs_up", members[1].feedback[0][1], 2.0)))
    slates, match_sets = training_slates(members)
    assert [slate.query for slate in slates] == ["s"]
    assert [c.key for c in slates[0].shown] == [item.slate.candidates[0].key for item in members]
    assert slates[0].actions[members[1].slate.candidates[0].key] == {"accepted", "thumbs_up"}, "the later thumb counts"
    data = build_training_set(slates, match_sets, ("good", "unknown"))
    assert data.labels.tolist()[:2] == [0, 2]
    assert len(data.labels) == sum(len(item.slate.candidates) for item in members)
    assert members[1].reward(WORTH) == 0.5
    assert members[0].reward({**WORTH, "thumbs_down": -0.5}) == -0.5
