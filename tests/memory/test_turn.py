"""Acts by name become evidence and back without loss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.dialogue import DialogueAct, ScoredAct, SystemAct
from memory.turn import FLOW, UserEvidence, evidence_from_acts, stack_evidence, system_act, system_turn
from simulator.small import small_ontology

ONTOLOGY = small_ontology()
NOTHING_HEARD = tuple(() for _ in ONTOLOGY.open_slots)


def evidence(*acts: str, confidence: float = 0.8) -> UserEvidence:
    scored = [ScoredAct(DialogueAct.parse(act), confidence) for act in acts]
    return evidence_from_acts(ONTOLOGY, scored, NOTHING_HEARD)[0]


@pytest.mark.parametrize("text", ["hello()", "request(phone)", "inform(food=food 1)", "inform(=dontcare)"])
def test_acts_parse(text: str) -> None:
    assert DialogueAct.parse(text).type == text.split("(", maxsplit=1)[0]


@pytest.mark.parametrize("text", ["", "hello", "Hello()", "inform(food=thai", "in form()"])
def test_what_is_no_act_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a dialogue act"):
        DialogueAct.parse(text)


def test_each_kind_of_act_lands_in_its_array() -> None:
    heard = evidence("inform(food=food 2)", "deny(area=area 1)", "request(phone)", "bye()", "inform(=dontcare)")
    assert heard.inform[0, ONTOLOGY.value_index["food", "food 2"]] == pytest.approx(0.8)
    assert heard.deny[0, ONTOLOGY.value_index["area", "area 1"]] == pytest.approx(0.8)
    assert heard.request[0, ONTOLOGY.request_index["phone"]] == pytest.approx(0.8)
    assert heard.flow[0, [FLOW["bye"], FLOW["dontcare"]]] == pytest.approx([0.8, 0.8])
    assert evidence("inform(name=PLACE 3)").venue[0] == 2


def test_unknown_names_carry_no_evidence() -> None:
    heard = evidence("inform(food=pebbles)", "inform(colour=red)", "request(fax)", "faq(dogs)", "inform(name=nowhere)")
    empty = UserEvidence.empty(ONTOLOGY, 1)
    for name in UserEvidence.__slots__:
        assert np.array_equal(getattr(heard, name), getattr(empty, name))


def test_open_values_get_stable_ids() -> None:
    acts = [ScoredAct(DialogueAct("inform", "people", "4"), 0.9)]
    first, table = evidence_from_acts(ONTOLOGY, acts, NOTHING_HEARD)
    second, table = evidence_from_acts(ONTOLOGY, [ScoredAct(DialogueAct("inform", "people", "5"), 0.7)], table)
    third, table = evidence_from_acts(ONTOLOGY, acts, table)
    o = ONTOLOGY.open_index["people"]
    assert [first.open_value[0, o], second.open_value[0, o], third.open_value[0, o]] == [0, 1, 0]
    assert table[o] == ("4", "5")


@given(st.lists(st.tuples(st.sampled_from(range(8)), st.floats(0, 1)), max_size=6))
def test_values_of_a_slot_never_sum_above_one(hypotheses: list[tuple[int, float]]) -> None:
    acts = [ScoredAct(DialogueAct("inform", "food", f"food {v + 1}"), p) for v, p in hypotheses]
    heard, _ = evidence_from_acts(ONTOLOGY, acts, NOTHING_HEARD)
    assert heard.inform.min() >= 0.0
    assert heard.inform.sum() <= 1.0 + 1e-5


@pytest.mark.parametrize(
    "act",
    [
        SystemAct("request", slot="food"),
        SystemAct("confirm", slot="area", value="area 2"),
        SystemAct("select", slot="area", value="area 2", other="area 3"),
        SystemAct("offer", entity="place 7", answered=("phone", "food")),
        SystemAct("request_open", slot="time", entity="place 1"),
        SystemAct("reqmore"),
    ],
)
def test_system_acts_survive_the_array_form(act: SystemAct) -> None:
    assert system_act(ONTOLOGY, system_turn(ONTOLOGY, act)) == act


def test_names_that_are_gone_become_minus_one() -> None:
    turn = system_turn(ONTOLOGY, SystemAct("offer", slot="wine", value="red", entity="closed down", answered=("fax",)))
    assert (turn.slot[0], turn.value[0], turn.entity[0], turn.answered.any()) == (-1, -1, -1, False)


def test_stacking_keeps_rows() -> None:
    stacked = stack_evidence([evidence("bye()"), evidence("hello()")])
    assert stacked.flow.argmax(axis=1).tolist() == [FLOW["bye"], FLOW["hello"]]
