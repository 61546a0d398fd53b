"""Agenda-based simulated users over B dialogues at once (Schatzmann et al. 2007; reactions after PyDial's user)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from memory.ontology import BoolArray, IntArray
from memory.turn import FLOW, KIND, SystemTurn
from simulator.agenda import BOOKED, MISBOOKED, NOT_BOOKED, Agenda
from simulator.user_turn import Told, UserTurn


class AgendaUsers(Agenda):
    """B simulated users: ``reset``, ``open`` the dialogue, then ``react`` to each system turn."""

    def open(self, rows: IntArray) -> UserTurn:
        """The first turns of ``rows``; everybody else is silent."""
        turn = UserTurn.empty(self.ontology, len(self.state.venue))
        self._draws[rows] = self.random.uniform(self._width, rows)
        self._open_dialogue(turn, rows)
        return turn

    def react(self, system: SystemTurn, told: Told) -> UserTurn:
        """The users' answers to one system turn each; ``state.hung_up`` tells who has left for good."""
        turn = UserTurn.empty(self.ontology, len(system.kind))
        active = self._listen(turn, system)
        self._react_to(active, turn, system, told)
        return turn

    def _listen(self, turn: UserTurn, system: SystemTurn) -> BoolArray:
        """(B,) who goes on with the dialogue; the others hang up or say goodbye again."""
        s = self.state
        self._draws = self.random.uniform(self._width)
        s.turn += 1
        self._mind_repetition(turn, system)
        self._give_up(turn, np.flatnonzero(~s.hung_up & ~self.fulfilled()).astype(np.int32))
        active: BoolArray = ~s.hung_up & ~((s.goodbyes > 0) & (system.kind != KIND["bye"]))
        self._leave(turn, np.flatnonzero(~active & ~s.hung_up).astype(np.int32))
        return active

    def _react_to(self, active: BoolArray, turn: UserTurn, system: SystemTurn, told: Told) -> None:
        for kind, reaction in _REACTIONS.items():
            rows = np.flatnonzero(active & (system.kind == KIND[kind])).astype(np.int32)
            if len(rows):
                reaction(self, turn, rows, system, told)

    def fulfilled(self) -> BoolArray:
        """(B,) whether the goal is reached: a fitting venue, every request answered for it, the booking right."""
        s, rows = self.state, np.arange(len(self.state.venue), dtype=np.int32)
        fits = (s.venue >= 0) & ~self._misses(rows, s.venue).any(axis=1)
        booked = np.where(self.goals.books, s.booked == BOOKED, s.booked == NOT_BOOKED)
        done: BoolArray = fits & ~s.unfilled.any(axis=1) & booked
        return done

    def _open_dialogue(self, turn: UserTurn, rows: IntArray) -> None:
        greets, more = self._coin("greeting", rows), self._coin("inform_combination", rows)
        turn.flow[rows[greets], FLOW["hello"]] = True
        rows = rows[more | ~greets]
        self._inform_pending(turn, rows, np.int32(1) + self._combined("inform_combination", rows, self._informs))
        asking = rows[self._coin("request_up_front", rows) & self.state.unfilled[rows].any(axis=1)]
        turn.request[asking, np.argmax(self.state.unfilled[asking], axis=1)] = True
        self._book(turn, rows[self._coin("book_up_front", rows) & self.goals.books[rows]])

    def _on_request(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        asks = (self.state.venue[rows] >= 0) & self.state.unfilled[rows].any(axis=1)
        self._request(turn, rows[asks])
        rows = rows[~asks]
        slot = system.slot[rows]
        minds = self.goals.wanted[rows, slot] != self.matcher.dontcare[slot]
        repeats = ~minds & self._coin("repeat_constraint", rows)
        vague = ~minds & ~repeats & (self._coin("vague_answer", rows) | self._coin("bare_dontcare", rows))
        turn.flow[rows[vague], FLOW["dontcare"]] = True
        plain = ~repeats & ~vague
        self._inform(turn, rows[plain], slot[plain])
        self._repeat_constraint(turn, rows[repeats])
        self._and_more(turn, rows)

    def _repeat_constraint(self, turn: UserTurn, rows: IntArray) -> None:
        cares = self.goals.wanted[rows] != self.matcher.dontcare
        nth = (self._choice(3, rows) * cares.sum(axis=1)).astype(np.int64)
        self._inform(turn, rows, np.argmax(cares.cumsum(axis=1) > nth[:, None], axis=1).astype(np.int32))

    def _on_confirm(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        slot, value = system.slot[rows], system.value[rows]
        wanted = self.goals.wanted[rows, slot]
        right = wanted == value
        turn.flow[rows[right], FLOW["affirm"]] = True
        self._and_more(turn, rows[right], "affirm_combination")
        minds = wanted != self.matcher.dontcare[slot]
        unasked, wrong = rows[~right & ~minds], ~right & minds
        turn.flow[unasked, FLOW["negate"]] = True
        self._inform(turn, unasked, slot[~right & ~minds])
        self._correct(turn, rows[wrong], slot[wrong], value[wrong])

    def _on_select(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        self._inform(turn, rows, system.slot[rows])
        self._and_more(turn, rows)

    def _contradicted(self, turn: UserTurn, rows: IntArray, system: SystemTurn) -> IntArray:
        """Correct the system in ``rows`` whose entity does not fit; return the rows where it does (or is absent)."""
        entity = system.entity[rows]
        missed = self._misses(rows, entity) & (entity >= 0)[:, None]
        contradicts = missed.any(axis=1)
        overruled = contradicts & self._coin("overrule_correction", rows)
        turn.flow[rows[overruled], FLOW["reqalts"]] = True
        bad = contradicts & ~overruled
        slot = np.argmax(missed[bad], axis=1).astype(np.int32)
        self._correct(turn, rows[bad], slot, self.ontology.entity_values[entity[bad], slot])
        return rows[~contradicts]

    def _on_offer(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        s = self.state
        rows = self._contradicted(turn, rows, system)
        again = (s.refused[rows] == system.entity[rows]) & ~self._coin("overrule_correction", rows)
        turn.flow[rows[again], FLOW["reqalts"]] = True
        rows = rows[~again]
        fresh = ~s.offered_once[rows]
        s.offered_once[rows] = True
        other = fresh & self._coin("alternatives_first", rows)
        s.refused[rows[other]] = system.entity[rows[other]]
        self._drop_venue(rows[other])
        turn.flow[rows[other], FLOW["reqalts"]] = True
        change = fresh & ~other & self._coin("change_first", rows)
        self._change_goal(turn, rows[change])
        rows = rows[~other & ~change]
        self._accept(rows, system.entity[rows], system.answered[rows])
        self._thank_or_proceed(turn, rows)

    def _thank_or_proceed(self, turn: UserTurn, rows: IntArray) -> None:
        thanks = self._coin("thank", rows)
        nods = ~thanks & self._coin("acknowledge", rows)
        turn.flow[rows[thanks], FLOW["thankyou"]] = True
        turn.flow[rows[nods], FLOW["ack"]] = True
        self._proceed(turn, rows[~thanks & ~nods])

    def _on_answer(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        rows = self._contradicted(turn, rows, system)
        self._accept(rows, system.entity[rows], system.answered[rows])
        self._thank_or_proceed(turn, rows)

    def _on_offer_none(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        """Correct what the system misheard; if it heard well, give up or replace what cannot be had."""
        echo, wanted = told.constraints[rows], self.goals.wanted[rows]
        misheard: BoolArray = (echo >= 0) & (echo != wanted)
        wrong = misheard.any(axis=1)
        turn.inform[rows] = np.where(misheard, wanted, turn.inform[rows])
        self.state.pending[rows] &= ~misheard
        turn.flow[rows[wrong], FLOW["negate"]] = self._coin("negate_inform", rows[wrong])
        rows = rows[~wrong]
        gone = self._coin("bye_after_none", rows)
        self._hang_up(turn, rows[gone])
        rows = rows[~gone]
        self._give_way(turn, rows, system.slot[rows], self._coin("constraint_relax", rows))

    def _give_way(self, turn: UserTurn, rows: IntArray, slot: IntArray, gives_in: BoolArray) -> None:
        """Give the wish for ``slot`` (n,) up where one ``gives_in`` (n,) or has no second choice, else take that."""
        self._drop_venue(rows)
        goals = self.goals
        stuck = (goals.wanted[rows] == goals.fallback[rows]).all(axis=1)
        relax = (slot >= 0) & (gives_in | stuck)
        gives_up = rows[relax]
        goals.wanted[gives_up, slot[relax]] = goals.fallback[gives_up, slot[relax]] = self.matcher.dontcare[slot[relax]]
        turn.flow[gives_up, FLOW["affirm"]] = True
        self._fall_back(turn, rows[~relax])

    def _fall_back(self, turn: UserTurn, rows: IntArray) -> None:
        """Take the second choice and say what is different about it."""
        changed = self.goals.wanted[rows] != self.goals.fallback[rows]
        self.goals.wanted[rows] = self.goals.fallback[rows]
        turn.inform[rows] = np.where(changed, self.goals.wanted[rows], turn.inform[rows])
        self.state.pending[rows] &= ~changed
        self._restate(turn, rows[~changed.any(axis=1)])

    def _on_no_alternative(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        """Return to the venue refused before if it still fits, else want something else."""
        s = self.state
        former = s.refused[rows]
        fits = (former >= 0) & ~self._misses(rows, former).any(axis=1)
        back = rows[fits]
        self._accept(back, former[fits], np.zeros((len(back), s.unfilled.shape[1]), dtype=np.bool_))
        s.refused[rows] = -1
        turn.venue[back] = s.venue[back]
        unfilled = back[s.unfilled[back].any(axis=1)]
        self._request(turn, unfilled)
        turn.venue[unfilled] = s.venue[unfilled]
        self._on_offer_none(turn, rows[~fits], system, told)

    def _no_booking(self, turn: UserTurn, rows: IntArray) -> IntArray:
        """Refuse a booking that nobody wants; return the rows that want one."""
        wants = self.goals.books[rows] & (self.state.booked[rows] == NOT_BOOKED)
        refuses = rows[~wants]
        turn.flow[refuses, FLOW["negate"]] = turn.flow[refuses, FLOW["cancel"]] = True
        willing: IntArray = rows[wants]
        return willing

    def _on_request_open(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        rows = self._contradicted(turn, self._no_booking(turn, rows), system)
        self._accept(rows, system.entity[rows], system.answered[rows])
        slot = system.slot[rows]
        turn.open_value[rows, slot] = self.goals.open_value[rows, slot]
        self.state.open_pending[rows, slot] = False
        self._open_details(turn, rows)

    def _on_confirm_booking(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        rows = self._contradicted(turn, self._no_booking(turn, rows), system)
        self._accept(rows, system.entity[rows], system.answered[rows])
        wrong = told.booking[rows] != self.goals.open_value[rows]
        turn.open_value[rows] = np.where(wrong, self.goals.open_value[rows], turn.open_value[rows])
        objects = wrong.any(axis=1)
        turn.flow[rows[objects], FLOW["negate"]] = True
        turn.flow[rows[~objects], FLOW["affirm"]] = True

    def _on_booked(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        s = self.state
        entity = system.entity[rows]
        right = (told.booking[rows] == self.goals.open_value[rows]).all(axis=1) & self.goals.books[rows]
        right &= (entity >= 0) & ~self._misses(rows, entity).any(axis=1)
        s.booked[rows] = np.where(right, BOOKED, MISBOOKED)
        self._accept(rows[right], entity[right], system.answered[rows[right]])
        self._thank_or_proceed(turn, rows[right])
        self._leave(turn, rows[~right])

    def _on_booking_failed(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        """Try other details instead."""
        rows = self._no_booking(turn, rows)
        self.goals.open_value[rows] = (self.goals.open_value[rows] + 1) % self.open_values
        turn.open_value[rows] = self.goals.open_value[rows]
        self.state.open_pending[rows] = False

    def _on_reqmore(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        s = self.state
        has_venue = s.venue[rows] >= 0
        complete = has_venue & ~s.unfilled[rows].any(axis=1)
        complete &= ~self.goals.books[rows] | (s.booked[rows] != NOT_BOOKED)
        says_no = complete & self._coin("no_after_reqmore", rows) & ~s.declined[rows]
        turn.flow[rows[says_no], FLOW["negate"]] = True
        s.declined[rows[says_no]] = True
        self._leave(turn, rows[complete & ~says_no])
        self._proceed(turn, rows[has_venue & ~complete])
        searching = rows[~has_venue]
        says_yes = self._coin("yes_after_reqmore", searching)
        turn.flow[searching[says_yes], FLOW["affirm"]] = True
        self._restate(turn, searching[~says_yes])

    def _on_bye(self, turn: UserTurn, rows: IntArray, system: SystemTurn, told: Told) -> None:
        self._hang_up(turn, rows)


_Reaction = Callable[[AgendaUsers, UserTurn, IntArray, SystemTurn, Told], None]

_REACTIONS: dict[str, _Reaction] = {
    "request": AgendaUsers._on_request,
    "confirm": AgendaUsers._on_confirm,
    "select": AgendaUsers._on_select,
    "offer": AgendaUsers._on_offer,
    "offer_none": AgendaUsers._on_offer_none,
    "answer": AgendaUsers._on_answer,
    "alternative": AgendaUsers._on_offer,
    "alternative_none": AgendaUsers._on_no_alternative,
    "request_open": AgendaUsers._on_request_open,
    "confirm_booking": AgendaUsers._on_confirm_booking,
    "booked": AgendaUsers._on_booked,
    "booking_failed": AgendaUsers._on_booking_failed,
    "reqmore": AgendaUsers._on_reqmore,
    "bye": AgendaUsers._on_bye,
}
