"""What people answer, one system act at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memory.belief import BeliefState
from memory.dialogue import SystemAct
from memory.turn import FLOW, system_turn
from policies.matching import EntityMatcher
from simulator.agenda import BOOKED, MISBOOKED
from simulator.goal import Task
from simulator.small import small_ontology
from simulator.user_agenda import AgendaUsers
from simulator.user_parameters import UserParameters
from simulator.user_turn import Told, UserTurn, user_acts

ONTOLOGY = small_ontology()
MATCHER = EntityMatcher(ONTOLOGY)
ROW = np.zeros(1, dtype=np.int32)
TASK = Task({"food": 1.0, "area": 1.0, "pricerange": 0.0}, booking_prior=1.0, unsatisfiable=0.0)
NEVER, ALWAYS = (0.0, 0.0), (1.0, 1.0)
PLAIN = UserParameters(
    inform_combination=NEVER, affirm_combination=NEVER, add_request=NEVER, greeting=NEVER, alternatives_first=NEVER,
    change_first=NEVER, thank=NEVER, acknowledge=NEVER, request_up_front=NEVER, book_up_front=NEVER,
    overrule_correction=NEVER, repeat_constraint=NEVER, vague_answer=NEVER, bare_dontcare=NEVER, name_venue=NEVER,
    negate_inform=ALWAYS, bye_when_done=ALWAYS, no_after_reqmore=ALWAYS, constraint_relax=ALWAYS,
)  # fmt: skip


class Person:
    """One simulated user without whims, and what the system would repeat."""

    def __init__(self, seed: int = 0, task: Task = TASK, parameters: UserParameters = PLAIN) -> None:
        self.users = AgendaUsers(ONTOLOGY, task, [seed], parameters)
        self.belief = BeliefState.initial(ONTOLOGY)

    def opens(self) -> list[str]:
        return self._said(self.users.open(ROW))

    def answers(self, kind: str, told: Told | None = None, **details: object) -> list[str]:
        turn = system_turn(ONTOLOGY, SystemAct(kind, **details))  # type: ignore[arg-type]
        return self._said(self.users.react(turn, told or Told.of(MATCHER, self.belief)))

    def wants(self, slot: str) -> str:
        return ONTOLOGY.values[self.users.goals.wanted[0, ONTOLOGY.slot_index[slot]]][1]

    def good(self, which: int = 0) -> str:
        return ONTOLOGY.entity_names[np.flatnonzero(MATCHER.matches(self.users.goals.wanted)[0])[which]]

    def bad(self) -> str:
        return ONTOLOGY.entity_names[np.flatnonzero(~MATCHER.matches(self.users.goals.wanted)[0])[0]]

    def asks(self, *attributes: str) -> None:
        for array in (self.users.goals.requests, self.users.state.unfilled):
            array[0] = [name in attributes for name in ONTOLOGY.requestable]

    @staticmethod
    def _said(turn: UserTurn) -> list[str]:
        return [str(act) for act in user_acts(ONTOLOGY, turn)]


def test_the_first_turn_says_one_wish() -> None:
    person = Person()
    assert person.opens() in ([f"inform(food={person.wants('food')})"], [f"inform(area={person.wants('area')})"])


def test_questions_about_slots() -> None:
    person = Person()
    assert person.answers("request", slot="food") == [f"inform(food={person.wants('food')})"]
    assert person.answers("request", slot="pricerange") == ["inform(pricerange=dontcare)"]
    assert person.answers("confirm", slot="area", value=person.wants("area")) == ["affirm()"]
    wrong = next(v for v in ONTOLOGY.constraints["area"] if v != person.wants("area"))
    assert person.answers("confirm", slot="area", value=wrong) == ["negate()", f"inform(area={person.wants('area')})"]
    assert person.answers("confirm", slot="pricerange", value="pricerange 1") == [
        "negate()", "inform(pricerange=dontcare)",
    ]  # fmt: skip
    select = person.answers("select", slot="food", value="food 1", other="food 2")
    assert select == [f"inform(food={person.wants('food')})"]


def test_a_bare_dontcare() -> None:
    person = Person(parameters=replace(PLAIN, bare_dontcare=(1, 1)))
    assert person.answers("request", slot="pricerange") == ["inform(=dontcare)"]


def test_the_whole_way_to_a_booking() -> None:
    person = Person()
    person.asks("phone", "hours")
    place = person.good()
    assert person.answers("offer", entity=place) == ["request(phone)"]
    assert person.answers("answer", entity=place, answered=("phone",)) == ["request(hours)"]
    assert person.answers("answer", entity=place, answered=("hours",)) == ["book()"]
    people, time = (str(v) for v in person.users.goals.open_value[0])
    assert person.answers("request_open", slot="people", entity=place) == [f"inform(people={people})"]
    assert person.answers("request_open", slot="time", entity=place) == [f"inform(time={time})"]
    right = Told(person.users.goals.wanted, person.users.goals.open_value.copy())
    wrong = Told(right.constraints, right.booking + np.array([[1, 0]], dtype=np.int32))
    assert person.answers("confirm_booking", wrong, entity=place) == ["negate()", f"inform(people={people})"]
    assert person.answers("confirm_booking", right, entity=place) == ["affirm()"]
    assert not person.users.fulfilled()[0]
    assert person.answers("booked", right, entity=place) == ["bye()"]
    assert person.users.state.booked[0] == BOOKED
    assert person.users.fulfilled()[0]
    assert not person.users.state.hung_up[0]
    person.answers("bye")
    assert person.users.state.hung_up[0]


def test_a_wrong_booking_is_a_failure() -> None:
    person = Person()
    person.asks()
    place = person.good()
    person.answers("offer", entity=place)
    wrong = Told(person.users.goals.wanted, person.users.goals.open_value + np.int32(1))
    assert "bye()" in person.answers("booked", wrong, entity=place)
    assert person.users.state.booked[0] == MISBOOKED
    assert not person.users.fulfilled()[0]


def test_a_wrong_venue_is_corrected() -> None:
    person = Person()
    said = person.answers("offer", entity=person.bad())
    assert said[0] == "negate()"
    assert said[1].startswith("inform(")
    assert person.users.state.venue[0] == -1


def test_attributes_told_for_another_venue_do_not_count() -> None:
    task = replace(TASK, constraint_priors={"food": 0.0, "area": 1.0, "pricerange": 0.0}, booking_prior=0.0)
    person = Person(task=task)
    person.asks("phone", "hours")
    assert person.answers("offer", entity=person.good(0), answered=("phone",)) == ["request(hours)"]
    assert person.answers("alternative", entity=person.good(1), answered=("hours",)) == ["request(phone)"]
    assert not person.users.fulfilled()[0]
    assert person.answers("answer", entity=person.good(1), answered=("phone",)) == ["bye()"]
    assert person.users.fulfilled()[0]


def test_asking_for_an_alternative_once() -> None:
    task = replace(TASK, constraint_priors={"food": 0.0, "area": 1.0, "pricerange": 0.0}, booking_prior=0.0)
    person = Person(task=task, parameters=replace(PLAIN, alternatives_first=(1, 1)))
    person.asks()
    first, second = person.good(0), person.good(1)
    assert person.answers("offer", entity=first) == ["reqalts()"]
    assert person.answers("offer", entity=first) == ["reqalts()"]
    assert person.answers("alternative", entity=second) == ["bye()"]
    back = Person(task=task, parameters=replace(PLAIN, alternatives_first=(1, 1)))
    back.asks()
    back.answers("offer", entity=first)
    assert back.answers("alternative_none") == [f"inform(name={first})"]
    assert back.users.fulfilled()[0]


@pytest.mark.parametrize("relaxes", [True, False])
def test_when_nothing_matches_people_give_way(relaxes: bool) -> None:
    chance = 1.0 if relaxes else 0.0
    person = Person(parameters=replace(PLAIN, constraint_relax=(chance, chance)))
    food = ONTOLOGY.slot_index["food"]
    true_wish = person.users.goals.wanted[0, food]
    other = int(ONTOLOGY.offsets[food]) + (int(true_wish) - int(ONTOLOGY.offsets[food]) + 1) % 8
    person.users.goals.wanted[0, food] = other
    told = Told(person.users.goals.wanted.copy(), person.belief.open_value)
    said = person.answers("offer_none", told, slot="food", value=ONTOLOGY.values[other][1])
    if relaxes:
        assert said == ["affirm()"]
        assert person.wants("food") == "dontcare"
    else:
        assert said == [f"inform(food={ONTOLOGY.values[true_wish][1]})"]
    assert MATCHER.matches(person.users.goals.wanted).any()


def test_when_the_system_misheard_people_correct_it() -> None:
    person = Person()
    echo = person.users.goals.wanted.copy()
    price = ONTOLOGY.slot_index["pricerange"]
    echo[0, price] = ONTOLOGY.offsets[price]
    said = person.answers("offer_none", Told(echo, person.belief.open_value), slot="food", value=person.wants("food"))
    assert said == ["negate()", "inform(pricerange=dontcare)"]


def test_people_without_patience_hang_up() -> None:
    person = Person(parameters=replace(PLAIN, patience=(3, 3)))
    for _ in range(3):
        person.answers("request", slot="food")
        assert not person.users.state.hung_up[0]
    assert "bye()" in person.answers("request", slot="food")
    assert person.users.state.hung_up[0]


def test_a_system_that_never_says_goodbye_is_left() -> None:
    person = Person(task=replace(TASK, booking_prior=0.0))
    person.asks()
    assert person.answers("offer", entity=person.good()) == ["bye()"]
    assert person.answers("reqmore") == ["bye()"]
    assert not person.users.state.hung_up[0]
    assert person.answers("reqmore") == ["bye()"]
    assert person.users.state.hung_up[0]


def test_anything_else_is_answered_with_no_when_all_is_done() -> None:
    parameters = replace(PLAIN, acknowledge=(1, 1))
    person = Person(task=replace(TASK, booking_prior=0.0), parameters=parameters)
    person.asks()
    assert person.answers("offer", entity=person.good()) == ["ack()"]
    assert person.answers("reqmore") == ["negate()"]


def test_nobody_is_talked_into_a_booking() -> None:
    person = Person(task=replace(TASK, booking_prior=0.0))
    assert person.answers("request_open", slot="people", entity=person.good()) == ["negate()", "cancel()"]


def test_a_failed_booking_is_tried_differently() -> None:
    person = Person()
    before = person.users.goals.open_value.copy()
    said = person.answers("booking_failed", entity=person.good())
    assert [act.split("(")[1].split("=")[0] for act in said] == ["people", "time"]
    assert (person.users.goals.open_value != before).all()


def test_presets_differ_as_described() -> None:
    default, sampled, unfriendly = UserParameters.default(), UserParameters.sampled(), UserParameters.unfriendly()
    assert default.inform_combination == (0.6, 0.6)
    assert sampled.inform_combination == (0.2, 0.7)
    assert unfriendly.inform_combination == (0.0, 0.4)
    with pytest.raises(ValueError, match="greeting"):
        UserParameters(greeting=(0.5, 0.4))
    with pytest.raises(ValueError, match="patience"):
        UserParameters(patience=(0, 3))


def test_open_values_are_shown_by_their_strings() -> None:
    turn = UserTurn.empty(ONTOLOGY, 1)
    turn.open_value[0] = [1, -1]
    turn.flow[0, FLOW["thankyou"]] = True
    assert [str(a) for a in user_acts(ONTOLOGY, turn, 0, [["two", "four"], ["19:00"]])] == [
        "thankyou()", "inform(people=four)",
    ]  # fmt: skip
