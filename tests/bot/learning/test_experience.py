"""What is learned from: exactly what the policy saw, cut at the right places, with the documented rewards."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.assistant import Assistant
from bot.engine import Engine
from bot.learning.decisions import decision_report
from bot.learning.experience import (
    ExperienceReader,
    OutcomeReward,
    RealDialogue,
    Step,
    by_version,
    latest_conversations,
    transitions,
)
from memory.belief import BeliefState
from memory.conversation import Conversation
from memory.dialogue import NLUResult, SystemAct, UserMessage
from memory.events import Decided, Event, FeedbackGiven
from memory.ontology import BoolArray
from memory.store import SqliteStore, StoreUnavailable
from policies.actions import ActionSpace
from policies.featurizer import BeliefFeaturizer
from policies.policy import PolicyOutput
from policies.rule import RulePolicy
from policies.social import SocialPolicy
from policies.stack import rules_first

START, SILENCE = 1_795_422_000.0, 600.0
WISH = '/inform{"food":"chinese","area":"north","pricerange":"cheap"}'
TABLE = '/inform{"people":"4","day":"friday","time":"19:00","booking_name":"Anna Kowalska"}'
REWARD = OutcomeReward(turn=-1, booking=20, goodbye=10, handoff=-10, thumb=5)


class Recording:
    """The rules, remembering the features of every state they were asked about."""

    name, version = "recording", "7"

    def __init__(self, assistant: Assistant) -> None:
        self._rule, self._featurizer = RulePolicy(assistant.ontology), BeliefFeaturizer(assistant.ontology)
        self.seen: list[tuple[object, object, int]] = []

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        output = self._rule.act(belief, masks, rng)
        self.seen.append((self._featurizer(belief)[0], masks[0].copy(), int(output.actions[0])))
        return output


async def nothing(text: str, previous: SystemAct | None) -> NLUResult:
    return NLUResult(text)


def talk(assistant: Assistant, texts: list[str], policy: object = None, gap: float = 10.0) -> list[Event]:
    """The events of one conversation; ``#N`` in a text waits N seconds before it."""
    chosen = policy or Recording(assistant)
    engine = Engine(assistant, nothing, chosen, SocialPolicy(assistant.ontology))  # type: ignore[arg-type]
    state, events, now = Conversation.new(assistant.ontology, "c"), list[Event](), START
    for n, text in enumerate(texts):
        said, _, wait = text.partition("#")
        now += float(wait or gap)
        turn = asyncio.run(engine.respond(state, UserMessage("c", said, f"m{n}", timestamp=now)))
        state = turn.state
        events += turn.events
    return events


@pytest.fixture
def reader(assistant: Assistant) -> ExperienceReader:
    space = ActionSpace(assistant.ontology)
    return ExperienceReader(space, BeliefFeaturizer(assistant.ontology), REWARD, SILENCE)


BOOKING = [WISH, TABLE, "/bye"]


def test_features_masks_and_actions_are_what_the_policy_saw(assistant: Assistant, reader: ExperienceReader) -> None:
    policy = Recording(assistant)
    events = talk(assistant, BOOKING, policy)
    (dialogue,) = reader.dialogues("c", events, START + 60)
    assert len(dialogue.steps) == len(policy.seen) == 2
    for step, (features, mask, action) in zip(dialogue.steps, policy.seen, strict=True):
        np.testing.assert_array_equal(step.features, features)
        np.testing.assert_array_equal(step.mask, mask)
        assert step.action == action
        assert (step.policy, step.version, step.propensity) == ("recording", "7", 1.0)


def test_a_booking_is_worth_what_the_configuration_says(assistant: Assistant, reader: ExperienceReader) -> None:
    (dialogue,) = reader.dialogues("c", talk(assistant, BOOKING), START + 60)
    assert dialogue.outcome == "booked"
    assert [step.reward for step in dialogue.steps] == [-1, -1 + 20 - 1], "the goodbye is a turn, too"


def test_a_goodbye_counts_only_after_a_venue_was_named(assistant: Assistant, reader: ExperienceReader) -> None:
    (found,) = reader.dialogues("c", talk(assistant, [WISH, "/bye"]), START + 60)
    assert (found.outcome, found.reward) == ("goodbye", -2 + 10)
    (nothing_named,) = reader.dialogues("c", talk(assistant, ['/inform{"area":"north"}', "/bye"]), START + 60)
    assert (nothing_named.outcome, nothing_named.reward) == ("goodbye", -2)


def test_a_hand_off_costs(assistant: Assistant, reader: ExperienceReader) -> None:
    (dialogue,) = reader.dialogues("c", talk(assistant, [WISH, "/handoff"]), START + 60)
    assert (dialogue.outcome, dialogue.reward) == ("handed_off", -2 - 10)


@pytest.mark.parametrize(("thumb", "reward"), [(1, 8 + 5), (-1, 8 - 5)])
def test_thumbs_count_at_the_turn_they_were_given_for(
    assistant: Assistant, reader: ExperienceReader, thumb: int, reward: float
) -> None:
    events = talk(assistant, [WISH, "/bye"])
    (dialogue,) = reader.dialogues("c", [*events, FeedbackGiven(START + 50, "m0", thumb)], START + 60)
    assert dialogue.reward == reward
    changed_mind = [*events, FeedbackGiven(START + 50, "m0", -thumb), FeedbackGiven(START + 55, "m0", thumb)]
    assert reader.dialogues("c", changed_mind, START + 60)[0].reward == reward


def test_a_dialogue_in_progress_is_not_learned_from_until_silence(
    assistant: Assistant, reader: ExperienceReader
) -> None:
    events = talk(assistant, [WISH, '/request{"attribute":"phone"}'])
    assert reader.dialogues("c", events, START + 20 + SILENCE) == []
    (dialogue,) = reader.dialogues("c", events, START + 21 + SILENCE)
    assert (dialogue.outcome, dialogue.known_at) == ("silence", START + 20 + SILENCE)


def test_one_conversation_holds_several_dialogues(assistant: Assistant, reader: ExperienceReader) -> None:
    texts = [*BOOKING, WISH, "/restart", WISH, f"{WISH}#{SILENCE + 10}", "/bye"]
    found = reader.dialogues("c", talk(assistant, texts), START + 5000)
    assert [dialogue.outcome for dialogue in found] == ["booked", "restarted", "silence", "goodbye"]
    assert [dialogue.known_at for dialogue in found] == sorted(dialogue.known_at for dialogue in found)
    after_goodbye = talk(assistant, [*BOOKING, f"/thankyou#{SILENCE + 10}"])
    assert reader.dialogues("c", after_goodbye, START + 5000)[0].known_at < START + 60


def test_social_turns_cost_but_are_no_steps(assistant: Assistant, reader: ExperienceReader) -> None:
    (dialogue,) = reader.dialogues("c", talk(assistant, ["/hello", WISH, "/chitchat/joke", "/bye"]), START + 90)
    assert len(dialogue.steps) == 1
    assert dialogue.reward == -1 - 1 - 1 + 10


def test_actions_that_this_version_does_not_know_are_left_out(assistant: Assistant, reader: ExperienceReader) -> None:
    events = [
        replace(e, decision=replace(e.decision, action="sing")) if isinstance(e, Decided) and e.decision.mask else e
        for e in talk(assistant, BOOKING)
    ]
    assert reader.dialogues("c", events, START + 60)[0].steps == []


steps = st.builds(
    Step,
    features=st.integers(0, 9).map(lambda n: np.full(2, n, dtype=np.float32)),
    mask=st.just(np.array([True, True])),
    action=st.integers(0, 1),
    reward=st.floats(-20, 20, width=32),
    propensity=st.just(1.0),
    policy=st.just("p"),
    version=st.just("v"),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(steps, max_size=6), max_size=4), st.integers(1, 4), st.floats(0.5, 1.0))
def test_transitions_are_the_n_step_returns(episodes: list[list[Step]], n: int, gamma: float) -> None:
    found = transitions([RealDialogue("c", "booked", 0.0, e) for e in episodes], n, gamma, 0.05)
    flat = [(episode, i) for episode in episodes for i in range(len(episode))]
    if found is None:
        assert not flat
        return
    assert len(found) == len(flat)
    for row, (episode, i) in enumerate(flat):
        returns = sum(gamma**k * 0.05 * episode[i + k].reward for k in range(n) if i + k < len(episode))
        assert found.returns[row] == pytest.approx(returns, abs=1e-5)
        if i + n < len(episode):
            assert found.discounts[row] == pytest.approx(gamma**n)
            np.testing.assert_array_equal(found.next_features[row], episode[i + n].features)
        else:
            assert found.discounts[row] == 0


def test_reports_from_a_real_event_log(assistant: Assistant, reader: ExperienceReader, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "log.sqlite3")
    stack = rules_first(RulePolicy(assistant.ontology), ("confirm_booking", "book"), Recording(assistant))
    for name, events in (("a", talk(assistant, BOOKING, stack)), ("b", talk(assistant, [WISH, "/bye"], stack))):
        asyncio.run(store.append(name, 0, events))
    try:
        found = reader.read(store.path, START + 500, limit=10)
        assert {(d.conversation_id, d.outcome) for d in found} == {("a", "booked"), ("b", "goodbye")}
        assert len(list(latest_conversations(store.path, 1))) == 1
        asked, booked = by_version(found)
        assert (booked["policy"], booked["booked"], booked["dialogues"]) == ("stack/rules", 1.0, 1)
        assert (asked["policy"], asked["version"], asked["booked"]) == ("stack/recording", "7", 0.5)
        assert asked["reward"] == (17 + 8) / 2
        assert asked["explored"] == 0
        report = decision_report(store.path, 10)
        counts = {row["policy"]: (row["decisions"], row["takeovers"]) for row in report["deciders"]}
        assert counts == {"stack/recording": (2, 0), "stack/rules": (1, 1), "social": (2, 2)}
        assert sum(row["share"] for row in report["deciders"]) == pytest.approx(1)
        assert (report["conversations"], report["decisions"]) == (2, 5)
    finally:
        store.close()


def test_an_event_of_a_newer_version_is_named(assistant: Assistant, reader: ExperienceReader, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "log.sqlite3")
    asyncio.run(store.append("a", 0, talk(assistant, [WISH])))
    store.close()
    with sqlite3.connect(store.path) as db:
        db.execute('UPDATE events SET payload = \'{"type": "Sang"}\' WHERE seq = 1')
    with pytest.raises(StoreUnavailable, match=r"log\.sqlite3: conversation 'a': unknown event type"):
        reader.read(store.path, START, 10)


def test_a_file_that_is_no_event_log_is_named(reader: ExperienceReader, tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    path.write_text("not a database, but long enough to look like a file of some kind")
    with pytest.raises(StoreUnavailable, match=r"log\.sqlite3: the event log can't be read"):
        reader.read(path, START, 10)
