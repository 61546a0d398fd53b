"""Actions make sense when allowed, mean what they say, and there is always one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.belief import BeliefState, observe_system, observe_user, top_values
from memory.dialogue import DialogueAct, ScoredAct, SystemAct
from memory.turn import KIND, evidence_from_acts, system_act, system_turn
from policies.actions import ActionSpace, MaskThresholds
from policies.matching import EntityMatcher, first_true
from policies.policy import random_actions
from simulator.small import restaurant_sized_ontology, small_ontology
from tests.memory.test_belief import random_dialogue

ONTOLOGY = small_ontology()
SPACE = ActionSpace(ONTOLOGY)


def heard(state: BeliefState, *acts: str, confidence: float = 0.8) -> BeliefState:
    scored = [ScoredAct(DialogueAct.parse(act), confidence) for act in acts]
    return observe_user(ONTOLOGY, state, evidence_from_acts(ONTOLOGY, scored, ((), ()))[0])


def did(state: BeliefState, act: SystemAct) -> BeliefState:
    return observe_system(ONTOLOGY, state, system_turn(ONTOLOGY, act))


def allowed(state: BeliefState) -> set[str]:
    return {name for name, ok in zip(SPACE.names, SPACE.masks(state)[0], strict=True) if ok}


def does(state: BeliefState, name: str) -> SystemAct:
    return system_act(ONTOLOGY, SPACE.ground(state, np.array([SPACE.index[name]], dtype=np.int32)))


def test_names_follow_the_ontology() -> None:
    assert SPACE.names == (
        "request_food", "request_area", "request_pricerange",
        "confirm_food", "confirm_area", "confirm_pricerange",
        "select_food", "select_area", "select_pricerange",
        "offer", "answer", "offer_alternative",
        "request_people", "request_time", "confirm_booking", "book", "reqmore", "bye",
    )  # fmt: skip
    assert "book" not in ActionSpace(replace(ONTOLOGY, open_slots=())).names
    assert ActionSpace(restaurant_sized_ontology()).size == 26


def test_only_requests_before_anything_is_known() -> None:
    assert allowed(BeliefState.initial(ONTOLOGY)) == {"request_food", "request_area", "request_pricerange"}


def test_only_what_was_heard_is_confirmed() -> None:
    state = heard(BeliefState.initial(ONTOLOGY), "inform(food=food 1)")
    assert {name for name in allowed(state) if name.startswith(("confirm", "select"))} == {"confirm_food"}
    assert does(state, "confirm_food") == SystemAct("confirm", slot="food", value="food 1")
    unsure = heard(state, "inform(food=food 2)", confidence=0.5)
    assert "select_food" in allowed(unsure)
    act = does(unsure, "select_food")
    assert {act.value, act.other} == {"food 1", "food 2"}
    affirmed = heard(did(state, SystemAct("confirm", slot="food", value="food 1")), "affirm()", confidence=0.9)
    assert "confirm_food" not in allowed(affirmed)


def test_offer_fits_all_accepted_values_and_keeps_the_venue() -> None:
    pairs = [(ONTOLOGY.attribute(e, "food"), ONTOLOGY.attribute(e, "area")) for e in range(40)]
    food, area = next(pair for pair in pairs if pairs.count(pair) >= 2)
    fits = [e for e, pair in enumerate(pairs) if pair == (food, area)]
    state = heard(BeliefState.initial(ONTOLOGY), f"inform(food={food})", f"inform(area={area})", confidence=0.9)
    assert does(state, "offer").entity == ONTOLOGY.entity_names[fits[0]]
    later = did(state, SystemAct("offer", entity=ONTOLOGY.entity_names[fits[1]]))
    assert does(later, "offer").entity == ONTOLOGY.entity_names[fits[1]]
    score = np.zeros(40, dtype=np.float32)
    score[fits[-1]] = 1.0
    turn = SPACE.ground(state, np.array([SPACE.index["offer"]], dtype=np.int32), score)
    assert turn.entity[0] == fits[-1]


def test_alternatives_are_fresh_until_there_are_none() -> None:
    state = heard(BeliefState.initial(ONTOLOGY), "inform(food=food 8)", confidence=0.9)
    fits = {name for e, name in enumerate(ONTOLOGY.entity_names) if ONTOLOGY.attribute(e, "food") == "food 8"}
    offered = set()
    act = does(state, "offer")
    while act.entity is not None:
        offered.add(act.entity)
        state = did(state, act)
        act = does(state, "offer_alternative")
    assert offered == fits
    assert act.kind == "alternative_none"


def test_who_asks_for_another_is_not_asked_what_else() -> None:
    state = heard(BeliefState.initial(ONTOLOGY), "inform(food=food 8)", confidence=0.9)
    state = did(state, does(state, "offer"))
    assert SPACE.masks(state)[0, SPACE.index["reqmore"]]
    masks = SPACE.masks(heard(state, "reqalts()", confidence=0.9))[0]
    assert masks[SPACE.index["offer_alternative"]]
    assert not masks[SPACE.index["reqmore"]]


def test_offer_none_proposes_the_most_helpful_relaxation() -> None:
    table = {e: (ONTOLOGY.attribute(e, "food"), ONTOLOGY.attribute(e, "area")) for e in range(40)}
    missing = next(
        (f, a)
        for f in ONTOLOGY.constraints["food"]
        for a in ONTOLOGY.constraints["area"]
        if (f, a) not in table.values() and any(f == x for x, _ in table.values())
    )
    state = heard(
        BeliefState.initial(ONTOLOGY), f"inform(food={missing[0]})", f"inform(area={missing[1]})", confidence=0.9
    )
    act = does(state, "offer")
    by_food = sum(a == missing[1] for _, a in table.values())
    by_area = sum(f == missing[0] for f, _ in table.values())
    assert act.kind == "offer_none"
    assert act.slot == ("food" if by_food > by_area else "area")
    assert act.value == (missing[0] if by_food > by_area else missing[1])


def test_answers_need_a_venue_and_a_question() -> None:
    state = did(BeliefState.initial(ONTOLOGY), SystemAct("offer", entity="place 5"))
    assert "answer" not in allowed(state)
    asked = heard(state, "request(phone)", "request(hours)")
    assert "answer" in allowed(asked)
    assert does(asked, "answer") == SystemAct("answer", entity="place 5", answered=("phone", "hours"))
    unsure = heard(state, "request(phone)", confidence=0.4)
    assert does(unsure, "answer").answered == ("phone",)
    assert "answer" not in allowed(heard(BeliefState.initial(ONTOLOGY), "request(phone)"))
    both = heard(heard(BeliefState.initial(ONTOLOGY), "request(phone)"), "inform(food=food 1)")
    assert does(both, "offer").answered == ("phone",)


def test_booking_needs_a_venue_and_all_details() -> None:
    state = did(BeliefState.initial(ONTOLOGY), SystemAct("offer", entity="place 5"))
    wants = heard(state, "book()")
    assert {"request_people", "request_time"} <= allowed(wants)
    assert not {"book", "confirm_booking"} & allowed(wants)
    ready = heard(wants, "inform(people=4)", "inform(time=19:00)")
    assert {"book", "confirm_booking"} <= allowed(ready)
    assert does(ready, "book") == SystemAct("booked", entity="place 5")
    assert not {"book", "confirm_booking", "request_people"} & allowed(
        did(ready, SystemAct("booked", entity="place 5"))
    )


def test_goodbye_only_to_those_who_leave() -> None:
    state = BeliefState.initial(ONTOLOGY)
    assert "bye" in allowed(heard(state, "bye()"))
    assert "bye" not in allowed(heard(state, "bye()", confidence=0.4))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_every_row_allows_something_and_grounding_is_sound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _, _, state in random_dialogue(seed):
        masks = SPACE.masks(state)
        assert masks.any(axis=1).all()
        actions = random_actions(masks, rng)
        turn = SPACE.ground(state, actions)
        again = SPACE.ground(state, actions)
        for name in ("kind", "slot", "value", "other", "entity", "answered"):
            assert np.array_equal(getattr(turn, name), getattr(again, name))
        wanted = SPACE.matcher.accepted(state)
        offers = np.flatnonzero(np.isin(turn.kind, (KIND["offer"], KIND["alternative"])))
        fits = SPACE.matcher.matches(wanted)
        assert fits[offers, turn.entity[offers]].all()
        none = turn.kind == KIND["offer_none"]
        assert not fits[none].any()
        alone = SPACE.ground(_row(state, 0), actions[:1])
        assert alone.kind[0] == turn.kind[0]
        assert alone.entity[0] == turn.entity[0]


@given(st.integers(0, 2**31), st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_only_eligible_entities_are_offered_unless_named(seed: int, chosen: int) -> None:
    _, _, state = random_dialogue(seed)[-1]
    eligible = np.random.default_rng(chosen).random(ONTOLOGY.num_entities) < 0.5
    named = (state.venue >= 0) & (state.venue_confidence < 1)
    for name in ("offer", "offer_alternative"):
        actions = np.full(state.batch, SPACE.index[name], dtype=np.int32)
        narrowed, free = SPACE.ground(state, actions, eligible=eligible), SPACE.ground(state, actions)
        offered = np.flatnonzero(narrowed.entity >= 0)
        assert (eligible[narrowed.entity[offered]] | (named & (narrowed.entity == state.venue))[offered]).all()
        same = SPACE.ground(state, actions, eligible=np.ones(ONTOLOGY.num_entities, dtype=np.bool_))
        np.testing.assert_array_equal(same.entity, free.entity)
        assert (narrowed.entity[free.entity < 0] < 0).all(), "narrowing finds nothing new"


def _row(state: BeliefState, row: int) -> BeliefState:
    parts = {name: getattr(state, name)[row : row + 1] for name in BeliefState.__slots__ if name != "last"}
    return BeliefState(
        **parts, last=type(state.last)(*(getattr(state.last, n)[row : row + 1] for n in state.last.__slots__))
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1, 100), min_size=3, max_size=3))
def test_matching_against_a_plain_loop(raw: list[int]) -> None:
    matcher = EntityMatcher(ONTOLOGY)
    row = [-1 if v < 0 else int(ONTOLOGY.offsets[s]) + v % len(ONTOLOGY.segments[s]) for s, v in enumerate(raw)]
    values = np.array([row], dtype=np.int32)
    expected = [
        all(
            v < 0 or ONTOLOGY.values[v][1] in ("dontcare", ONTOLOGY.attribute(e, ONTOLOGY.slots[s]))
            for s, v in enumerate(values[0])
        )
        for e in range(ONTOLOGY.num_entities)
    ]
    assert matcher.matches(values)[0].tolist() == expected


def test_first_true() -> None:
    flags = np.array([[False, True, True], [False, False, False]])
    assert first_true(flags).tolist() == [1, -1]
    assert first_true(flags, np.array([0, 1, 2], dtype=np.float32)).tolist() == [2, -1]


def test_thresholds_that_could_leave_nothing_to_do_are_refused() -> None:
    with pytest.raises(ValueError, match="heard <= accept <= certain"):
        MaskThresholds(accept=0.97)


def test_random_actions_refuse_an_empty_row() -> None:
    with pytest.raises(ValueError, match="row 1"):
        random_actions(np.array([[True, False], [False, False]]), np.random.default_rng(0))


def test_top_values_agree_with_confirm() -> None:
    state = heard(BeliefState.initial(ONTOLOGY), "inform(area=area 4)")
    assert ONTOLOGY.values[top_values(ONTOLOGY, state)[0][0, 1]][1] == does(state, "confirm_area").value
