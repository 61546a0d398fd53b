"""The belief update keeps probabilities probable, treats rows alone, and follows the focus equations."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memory.belief import METHOD, BeliefState, not_said, observe_system, observe_user, top_values
from memory.dialogue import DialogueAct, ScoredAct, SystemAct
from memory.turn import FLOW_ACTS, SystemTurn, UserEvidence, evidence_from_acts, system_turn
from policies.actions import ActionSpace
from policies.policy import random_actions
from simulator.small import small_ontology

ONTOLOGY = small_ontology()
SPACE = ActionSpace(ONTOLOGY)
FOOD_1, FOOD_2 = ONTOLOGY.value_index["food", "food 1"], ONTOLOGY.value_index["food", "food 2"]
ANY_FOOD = ONTOLOGY.value_index["food", "dontcare"]


def random_evidence(rng: np.random.Generator, batch: int) -> UserEvidence:
    """Any evidence that keeps the promises of UserEvidence."""

    def sparse(width: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return (rng.random((batch, width)) * (rng.random((batch, width)) < 0.2)).astype(np.float32)

    inform = sparse(ONTOLOGY.num_values)
    sums = np.add.reduceat(inform, ONTOLOGY.offsets[:-1], axis=1)
    inform /= np.maximum(sums, 1.0)[:, ONTOLOGY.slot_of_value]
    opens = len(ONTOLOGY.open_slots)
    return UserEvidence(
        inform=inform,
        deny=sparse(ONTOLOGY.num_values),
        request=sparse(len(ONTOLOGY.requestable)),
        flow=sparse(len(FLOW_ACTS)),
        open_value=rng.integers(8, size=(batch, opens)).astype(np.int32),
        open_confidence=sparse(opens),
        venue=rng.integers(-1, ONTOLOGY.num_entities, size=(batch,)).astype(np.int32),
        venue_confidence=sparse(1)[:, 0],
    )


def random_dialogue(seed: int, batch: int = 5, turns: int = 8) -> list[tuple[SystemTurn, UserEvidence, BeliefState]]:
    """Random system actions among the allowed ones and random evidence."""
    rng = np.random.default_rng(seed)
    state, history = BeliefState.initial(ONTOLOGY, batch), []
    for _ in range(turns):
        evidence = random_evidence(rng, batch)
        state = observe_user(ONTOLOGY, state, evidence)
        system = SPACE.ground(state, random_actions(SPACE.masks(state), rng))
        history.append((system, evidence, state))
        state = observe_system(ONTOLOGY, state, system)
    return history


def heard(state: BeliefState, *acts: str, confidence: float = 0.8) -> BeliefState:
    scored = [ScoredAct(DialogueAct.parse(act), confidence) for act in acts]
    return observe_user(ONTOLOGY, state, evidence_from_acts(ONTOLOGY, scored, ((), ()))[0])


def did(state: BeliefState, act: SystemAct) -> BeliefState:
    return observe_system(ONTOLOGY, state, system_turn(ONTOLOGY, act))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
@example(93573229)  # the mass said was 1 + 6e-8: rounding must not make a probability negative
def test_probabilities_stay_probabilities(seed: int) -> None:
    for _, _, state in random_dialogue(seed):
        for name in ("goals", "requested", "method", "discourse", "open_confidence", "confirmed", "booking_confirmed"):
            part = getattr(state, name)
            assert np.isfinite(part).all(), name
            assert part.min(initial=0.0) >= 0.0, name
            assert part.max(initial=0.0) <= 1.0 + 1e-5, name
        assert np.add.reduceat(state.goals, ONTOLOGY.offsets[:-1], axis=1).max() <= 1.0 + 1e-5
        np.testing.assert_allclose(state.method.sum(axis=1), 1.0, atol=1e-5)
        np.testing.assert_allclose(state.discourse.sum(axis=1), 1.0, atol=1e-5)
        assert not_said(ONTOLOGY, state).min() >= 0.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_a_batch_is_its_rows(seed: int) -> None:
    history = random_dialogue(seed)
    alone = [BeliefState.initial(ONTOLOGY, 1) for _ in range(5)]
    for system, evidence, state in history:
        for row in range(5):
            one = UserEvidence(*(getattr(evidence, f.name)[row : row + 1] for f in fields(evidence)))
            alone[row] = observe_user(ONTOLOGY, alone[row], one)
            for f in fields(BeliefState):
                if f.name != "last":
                    assert np.array_equal(getattr(alone[row], f.name)[0], getattr(state, f.name)[row]), f.name
            turn = SystemTurn(*(getattr(system, f.name)[row : row + 1] for f in fields(system)))
            alone[row] = observe_system(ONTOLOGY, alone[row], turn)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_focus_equation_against_a_plain_loop(seed: int) -> None:
    """b'_v = (1 - sum_w u_w) b_v (1 - d_v) + u_v, without a system turn to resolve anything against."""
    rng = np.random.default_rng(seed)
    state = BeliefState.initial(ONTOLOGY, 1)
    first, second = random_evidence(rng, 1), random_evidence(rng, 1)
    calm = [replace(e, flow=np.zeros_like(e.flow)) for e in (first, second)]
    expected = np.zeros(ONTOLOGY.num_values)
    for evidence in calm:
        state = observe_user(ONTOLOGY, state, evidence)
        for slot, segment in zip(ONTOLOGY.slots, ONTOLOGY.segments, strict=True):
            index = [ONTOLOGY.value_index[slot, value] for value in segment]
            said = sum(evidence.inform[0, v] for v in index)
            for v in index:
                expected[v] = (1 - said) * expected[v] * (1 - evidence.deny[0, v]) + evidence.inform[0, v]
    np.testing.assert_allclose(state.goals[0], expected, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_top_values_are_the_sorted_beliefs(seed: int) -> None:
    _, _, state = random_dialogue(seed, batch=3, turns=3)[-1]
    for rank in (0, 1):
        index, probability = top_values(ONTOLOGY, state, rank)
        for s, (start, end) in enumerate(zip(ONTOLOGY.offsets[:-1], ONTOLOGY.offsets[1:], strict=True)):
            ordered = np.sort(state.goals[:, start:end], axis=1)[:, ::-1]
            np.testing.assert_array_equal(probability[:, s], ordered[:, rank])
            assert ((index[:, s] >= start) & (index[:, s] < end)).all()


def test_affirm_confirms_what_was_asked() -> None:
    state = heard(BeliefState.initial(ONTOLOGY), "inform(food=food 1)", confidence=0.5)
    state = heard(did(state, SystemAct("confirm", slot="food", value="food 1")), "affirm()", confidence=0.9)
    assert state.goals[0, FOOD_1] == pytest.approx(0.95)
    assert state.confirmed[0, 0] == pytest.approx(0.9)


def test_negate_denies_and_a_correction_replaces() -> None:
    state = heard(BeliefState.initial(ONTOLOGY), "inform(food=food 1)", confidence=0.6)
    asked = did(state, SystemAct("confirm", slot="food", value="food 1"))
    assert heard(asked, "negate()", confidence=1.0).goals[0, FOOD_1] == 0.0
    corrected = heard(asked, "negate()", "inform(food=food 2)", confidence=0.9)
    assert corrected.goals[0, FOOD_2] == pytest.approx(0.9)
    assert corrected.goals[0, FOOD_1] < 0.1


def test_a_bare_dontcare_belongs_to_the_question() -> None:
    state = heard(did(BeliefState.initial(ONTOLOGY), SystemAct("request", slot="food")), "inform(=dontcare)")
    assert state.goals[0, ANY_FOOD] == pytest.approx(0.8)
    unasked = heard(BeliefState.initial(ONTOLOGY), "inform(=dontcare)")
    assert unasked.goals.max() == 0.0


def test_affirming_a_relaxation_gives_the_constraint_up() -> None:
    state = heard(BeliefState.initial(ONTOLOGY), "inform(food=food 1)")
    state = heard(did(state, SystemAct("offer_none", slot="food", value="food 1")), "affirm()", confidence=0.9)
    assert state.goals[0, ANY_FOOD] == pytest.approx(0.9)


def test_open_slots_keep_one_hypothesis() -> None:
    state = BeliefState.initial(ONTOLOGY)
    for value, confidence in (("4", 0.6), ("4", 0.6), ("5", 0.9)):
        acts = [ScoredAct(DialogueAct("inform", "people", value), confidence)]
        evidence, _ = evidence_from_acts(ONTOLOGY, acts, (("4", "5"), ()))
        state = observe_user(ONTOLOGY, state, evidence)
    assert state.open_value[0, 0] == 1
    assert state.open_confidence[0, 0] == pytest.approx(0.9)


def test_a_booking_detail_after_confirmation_withdraws_it() -> None:
    state = did(BeliefState.initial(ONTOLOGY), SystemAct("confirm_booking", entity="place 1"))
    state = heard(state, "affirm()", confidence=0.9)
    assert state.booking_confirmed[0] == pytest.approx(0.9)
    acts = [ScoredAct(DialogueAct("inform", "people", "4"), 0.8)]
    changed = observe_user(ONTOLOGY, did(state, SystemAct("reqmore")), evidence_from_acts(ONTOLOGY, acts, ((), ()))[0])
    assert changed.booking_confirmed[0] < 0.2


def test_requests_are_forgotten_when_answered_and_methods_follow_the_user() -> None:
    state = did(BeliefState.initial(ONTOLOGY), SystemAct("offer", entity="place 3"))
    assert state.offered[0, 2]
    state = heard(state, "request(phone)")
    assert state.method[0].argmax() == METHOD["byname"]
    state = did(state, SystemAct("answer", entity="place 3", answered=("phone",)))
    assert state.requested[0].max() == 0.0
    assert heard(state, "bye()").method[0].argmax() == METHOD["finished"]
    assert heard(did(state, SystemAct("reqmore")), "negate()").method[0].argmax() == METHOD["finished"]
    assert (
        heard(did(state, SystemAct("offer", entity="place 3")), "negate()").method[0].argmax()
        == METHOD["byalternatives"]
    )


def test_restart_forgets_the_goal() -> None:
    state = heard(BeliefState.initial(ONTOLOGY), "inform(food=food 1)", confidence=1.0)
    assert heard(state, "restart()", confidence=1.0).goals.max() == 0.0
