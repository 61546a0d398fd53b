"""From real conversations in the real store to estimates of what policies would have earned in them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from bot.__main__ import app
from bot.assistant import Assistant
from bot.conversations import Conversations
from bot.engine import Engine
from bot.learning.experience import ExperienceReader, OutcomeReward, RealDialogue
from bot.logged_decisions import judge_log, log_of
from memory.belief import BeliefState
from memory.dialogue import NLUResult, SystemAct, UserMessage
from memory.ontology import BoolArray
from memory.store import SqliteStore
from policies.actions import ActionSpace
from policies.export import export_onnx
from policies.featurizer import BeliefFeaturizer
from policies.networks import DuelingNetwork
from policies.off_policy import FQEConfig
from policies.offline import CQLConfig
from policies.policy import PolicyOutput, random_actions
from policies.rule import RulePolicy
from policies.social import SocialPolicy

MONDAY = 1_795_422_000.0
FOODS = ("chinese", "italian", "indian", "thai", "french", "british")
TABLE = '/inform{"people":"4","day":"friday","time":"19:00","booking_name":"Anna Kowalska"}'
CQL = CQLConfig(updates=150, batch_size=64, hidden=(32,), report_every=50)
FQE = FQEConfig(heads=4, updates=150, refit=30, batch_size=64, hidden=8)


class SlippingRules:
    """The rules, except for one random allowed action in five; remembers what it saw and did."""

    name, version = "slipping", "1"

    def __init__(self, assistant: Assistant) -> None:
        self._rule, self._featurizer = RulePolicy(assistant.ontology), BeliefFeaturizer(assistant.ontology)
        self.seen: list[tuple[Any, ...]] = []

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        best = self._rule.act(belief, masks, rng)
        actions = random_actions(masks, rng) if rng.random() < 0.2 else best.actions
        propensity = np.where(actions == best.actions, 0.8, 0.0) + 0.2 / masks.sum(axis=1)
        self.seen.append((self._featurizer(belief)[0], masks[0].copy(), int(actions[0]), float(propensity[0])))
        return PolicyOutput(actions, best.values, propensity.astype(np.float32))


async def nothing(text: str, previous: SystemAct | None) -> NLUResult:
    return NLUResult(text)


async def converse(assistant: Assistant, store: SqliteStore, policy: SlippingRules, people: int) -> None:
    conversations = Conversations(Engine(assistant, nothing, policy, SocialPolicy(assistant.ontology)), store)
    for person in range(people):
        wish = f'/inform{{"food":"{FOODS[person % 6]}","area":"dontcare","pricerange":"dontcare"}}'
        said = [wish, wish, TABLE, "/affirm", '/request{"attribute":"phone"}', "/bye"]
        for n, text in enumerate(said):
            now = MONDAY + 1000 * person + n
            await conversations.handle(UserMessage(f"c{person:02}", text, f"m{n}", timestamp=now))


@pytest.fixture(scope="module")
def recorded(assistant: Assistant, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SlippingRules]:
    """An event log of 30 conversations, and the policy that led them."""
    database = tmp_path_factory.mktemp("data") / "restaurants.sqlite3"
    store, policy = SqliteStore(database, synchronous="OFF"), SlippingRules(assistant)
    asyncio.run(converse(assistant, store, policy, 30))
    store.close()
    return database, policy


def read(assistant: Assistant, database: Path) -> list[RealDialogue]:
    space, featurizer = ActionSpace(assistant.ontology), BeliefFeaturizer(assistant.ontology)
    return ExperienceReader(space, featurizer, OutcomeReward(), 600.0).read(database, MONDAY + 1e6, 100)


def test_the_log_is_what_the_policy_saw_and_did(assistant: Assistant, recorded: tuple[Path, SlippingRules]) -> None:
    database, policy = recorded
    log = log_of(read(assistant, database))
    assert len(log) == len(policy.seen)
    assert len(log.starts) == 30
    for row, (features, mask, action, propensity) in enumerate(policy.seen):
        assert np.array_equal(log.features[row], features)
        assert np.array_equal(log.masks[row], mask)
        assert log.actions[row] == action
        assert log.propensity[row] == pytest.approx(propensity)
    booked = log.returns() > 5
    assert 10 <= booked.sum() <= 30, "most people booked: +20 less a few turns"


def test_what_was_done_counts_as_allowed_though_masks_have_changed(
    assistant: Assistant, recorded: tuple[Path, SlippingRules]
) -> None:
    dialogues = read(assistant, recorded[0])
    step = dialogues[0].steps[0]
    dialogues[0].steps[0] = replace(step, mask=np.arange(len(step.mask)) != step.action)
    assert log_of(dialogues).masks[0, step.action]
    with pytest.raises(ValueError, match="no finished dialogue has a decision"):
        log_of([])


def test_policies_are_judged_by_dialogues_that_nobody_trained_on(
    assistant: Assistant, recorded: tuple[Path, SlippingRules]
) -> None:
    log = log_of(read(assistant, recorded[0]))

    space = ActionSpace(assistant.ontology)

    def contrary(features: np.ndarray) -> np.ndarray:
        """Neither offers nor books while it can do anything else."""
        values = np.zeros((len(features), space.size), dtype=np.float32)
        values[:, [space.index[name] for name in ("offer", "answer", "book")]] = -1.0
        return values

    report = judge_log(log, contrary, CQL, FQE)
    assert report["dialogues"] == {"training": 15, "held_out": 15}
    logged, served, offline = (report["policies"][name] for name in ("logged", "served", "offline"))
    _, held_out = log.split(0.5, np.random.default_rng(CQL.seed))
    assert logged["importance"]["mean"] == pytest.approx(float(held_out.returns().mean()), abs=1e-3)
    assert logged["fitted_q"] is None
    assert served["agreement"] < offline["agreement"] - 0.2
    assert offline["fitted_q"]["low"] <= offline["fitted_q"]["mean"] <= offline["fitted_q"]["high"]
    assert served["importance"] is None, "no dialogue went like that to its end"


@pytest.fixture(scope="module")
def models(assistant: Assistant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a policy that has learned nothing."""
    folder = tmp_path_factory.mktemp("models")
    featurizer, space = BeliefFeaturizer(assistant.ontology), ActionSpace(assistant.ontology)
    torch.manual_seed(0)
    network = DuelingNetwork(featurizer.size, space.size, (8,))
    export_onnx(network, folder / "restaurants" / "policy", space, featurizer)
    return folder


def test_the_command_reports_on_the_recorded_conversations(
    recorded: tuple[Path, SlippingRules], models: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.yml"
    config.write_text(f"assistant: {Path.cwd()}/assistants/restaurants\nmodels: {models}\ndata: {recorded[0].parent}\n")
    call = ["evaluate", "log", "--config", str(config), "--updates", "20", "--training-share", "0.4"]
    done = CliRunner().invoke(app, [*call, "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["dialogues"] == {"training": 12, "held_out": 18}
    assert set(report["policies"]) == {"logged", "served", "offline"}
    table = CliRunner().invoke(app, call)
    assert table.exit_code == 0
    assert "offline" in table.stdout


def test_too_few_conversations_say_so(models: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(f"assistant: {Path.cwd()}/assistants/restaurants\nmodels: {models}\ndata: {tmp_path}\n")
    done = CliRunner().invoke(app, ["evaluate", "log", "--config", str(config)])
    assert done.exit_code == 1
    assert "0 finished dialogues with decisions, 20 are needed" in str(done.exception)
