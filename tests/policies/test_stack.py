"""A stack decides every state exactly once, by the first layer that covers it, and says who it was."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.assistant import Assistant
from bot.engine import Engine
from memory.belief import BeliefState
from memory.conversation import Conversation
from memory.dialogue import NLUResult, SystemAct, UserMessage
from memory.events import Decided
from memory.ontology import BoolArray, IntArray
from policies.policy import Policy, PolicyOutput, RandomPolicy
from policies.rule import RulePolicy
from policies.social import SocialPolicy
from policies.stack import Layer, PolicyStack, RuleChoices, decider, rules_first, take
from simulator.evaluate import play
from simulator.noise import ErrorModel
from simulator.simulation import DialogueSimulation, SimulationSettings
from simulator.small import small_ontology, small_task

ONTOLOGY = small_ontology()
RULE = RulePolicy(ONTOLOGY)
B = 24


def some_states(turns: int = 3) -> tuple[BeliefState, BoolArray]:
    simulation = DialogueSimulation(ONTOLOGY, SimulationSettings(small_task(), errors=(ErrorModel.at(0.3),)), range(B))
    rng = np.random.default_rng(0)
    for _ in range(turns):
        simulation.step(RandomPolicy().act(simulation.belief, simulation.masks(), rng).actions)
    return simulation.belief, simulation.masks()


BELIEF, MASKS = some_states()


class Nth:
    """Chooses the first or last allowed action; values and propensity tell who it was."""

    def __init__(self, name: str, last: bool) -> None:
        self.name, self.version, self._last = name, f"v-{name}", last

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        assert belief.batch == len(masks)
        columns = masks.shape[1] - 1 - np.argmax(masks[:, ::-1], axis=1) if self._last else np.argmax(masks, axis=1)
        values = np.where(masks, np.float32(self._last), np.float32(np.nan)).astype(np.float32)
        propensity = np.full(len(masks), 0.25 if self._last else 0.5, dtype=np.float32)
        return PolicyOutput(columns.astype(np.int32), values, propensity)


FIRST, LAST = Nth("first", False), Nth("last", True)


def check_partition(stack: PolicyStack, covered: BoolArray) -> None:
    output = stack.act(BELIEF, MASKS, np.random.default_rng(0))
    for row in range(B):
        expected = FIRST if covered[row] else LAST
        alone = expected.act(take(BELIEF, np.array([row])), MASKS[[row]], np.random.default_rng(0))
        assert output.actions[row] == alone.actions[0]
        assert output.propensity[row] == alone.propensity[0]
        np.testing.assert_array_equal(output.values[row], alone.values[0])
        assert decider(stack, output, row) == (f"stack/{expected.name}", expected.version)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=B, max_size=B))
def test_the_first_layer_that_covers_a_state_decides_it(flags: list[bool]) -> None:
    covered = np.array(flags)
    check_partition(PolicyStack([Layer("first", FIRST, lambda belief: covered), Layer("last", LAST)]), covered)


def test_a_stack_that_ignores_coverage_would_be_noticed() -> None:
    class Deaf(PolicyStack):
        def cover(self, belief: BeliefState) -> IntArray:
            return np.full(belief.batch, 1, dtype=np.int32)

    covered = np.arange(B) % 2 == 0
    with pytest.raises(AssertionError):
        check_partition(Deaf([Layer("first", FIRST, lambda belief: covered), Layer("last", LAST)]), covered)


def test_earlier_layers_go_before_later_ones() -> None:
    everywhere = np.ones(B, dtype=np.bool_)
    layers = [Layer(name, LAST, lambda belief: everywhere) for name in ("a", "b")]
    output = PolicyStack([*layers, Layer("rest", FIRST)]).act(BELIEF, MASKS, np.random.default_rng(0))
    assert output.layers.tolist() == [0] * B


def test_rules_first_with_all_their_actions_is_the_rules() -> None:
    stack = rules_first(RULE, RULE.space.names, RandomPolicy())
    output = stack.act(BELIEF, MASKS, np.random.default_rng(0))
    np.testing.assert_array_equal(output.actions, RULE.choose(BELIEF, MASKS))
    assert rules_first(RULE, (), RandomPolicy()).act(BELIEF, MASKS, np.random.default_rng(0)).layers.tolist() == [1] * B


def test_rules_cover_exactly_where_they_would_choose_the_action() -> None:
    chosen = RULE.choose(BELIEF, MASKS)
    names = {RULE.space.names[int(chosen[0])]}
    covered = RuleChoices(RULE, names)(BELIEF)
    assert covered.tolist() == [RULE.space.names[int(action)] in names for action in chosen]
    assert 0 < covered.sum() < B


def test_a_stack_of_rules_over_chance_is_better_than_chance() -> None:
    stack = rules_first(RULE, ("offer", "confirm_booking", "book", "bye"), RandomPolicy())
    played = [play(policy, ONTOLOGY, SimulationSettings(small_task()), 200, 3) for policy in (stack, RandomPolicy())]
    assert played[0].reward.mean() > played[1].reward.mean() + 2


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([], "the last layer must cover every state"),
        ([Layer("a", FIRST, lambda belief: MASKS[:, 0])], "the last layer must cover every state"),
        ([Layer("a", FIRST), Layer("b", LAST)], "'a' covers every state"),
        ([Layer("a", FIRST, lambda belief: MASKS[:, 0]), Layer("a", LAST)], "a name of its own"),
    ],
)
def test_stacks_that_make_no_sense_are_refused(layers: list[Layer], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PolicyStack(layers)


def test_an_unknown_action_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no action is called 'fly'"):
        rules_first(RULE, ("bye", "fly"), FIRST)


def test_a_stack_is_a_policy_and_names_all_its_versions() -> None:
    stack = rules_first(RULE, ("bye",), FIRST)
    assert isinstance(stack, Policy)
    assert stack.version == "rules:1+first:v-first"
    assert decider(FIRST, FIRST.act(BELIEF, MASKS, np.random.default_rng(0))) == ("first", "v-first")


async def _nothing(text: str, previous: SystemAct | None) -> NLUResult:
    return NLUResult(text)


def test_every_decision_names_its_layer_and_that_layers_version(assistant: Assistant) -> None:
    rule = RulePolicy(assistant.ontology)
    stack = rules_first(rule, ("confirm_booking", "book"), RulePolicy(assistant.ontology))
    stack = PolicyStack([stack.layers[0], Layer("rest", RulePolicy(assistant.ontology))])
    engine = Engine(assistant, _nothing, stack, SocialPolicy(assistant.ontology))
    state = Conversation.new(assistant.ontology, "c")
    seen: list[tuple[str, str, str]] = []
    for text in (
        '/inform{"food":"chinese","area":"north","pricerange":"cheap"}',
        '/inform{"people":"4","day":"friday","time":"19:00","booking_name":"Anna Kowalska"}',
    ):
        turn = asyncio.run(engine.respond(state, UserMessage("c", text, f"m{state.seq}", timestamp=1_795_422_000.0)))
        decision = next(event.decision for event in turn.events if isinstance(event, Decided))
        seen.append((decision.action, decision.policy, decision.version))
        state = turn.state
    assert seen[0] == ("offer", "stack/rest", "1")
    assert seen[1][0] in ("confirm_booking", "book")
    assert seen[1][1:] == ("stack/rules", "1")
