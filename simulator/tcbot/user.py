"""TC-Bot's rule-based user (Li et al. 2016), one rule a function, oddities included; facts, not code, of its source."""

from __future__ import annotations

from simulator.jit import B8, compiled, pick, uniform
from simulator.tcbot.state import State, pick_slot
from simulator.tcbot.tables import ANY, IN_GOAL, NO_MATCH, REQUESTED, UNSAID, Tables


@compiled
def new_user(t: Tables, s: State, i: int) -> None:
    """A goal, and the first turn: one constraint, the film, and one question (the ticket if there is no other)."""
    goal = pick(s, i, len(t.goal))
    s.goal[i] = goal
    s.said[i] = s.history[i] = UNSAID
    s.asked[i] = False
    s.satisfied[i] = False
    s.user_act[i] = t.request
    known = pick_slot(s, i, t.role[goal] == IN_GOAL)
    for slot in range(t.goal.shape[1]):
        in_goal = t.role[goal, slot] == IN_GOAL
        if in_goal and (slot == known or slot == t.movie):
            s.said[i, slot] = t.goal[goal, slot]
        s.rest[i, slot] = (in_goal and s.said[i, slot] == UNSAID) or t.role[goal, slot] == REQUESTED
    questions = t.role[goal] == REQUESTED
    questions[t.ticket] = False
    question = pick_slot(s, i, questions)
    s.asked[i, question if question >= 0 else t.ticket] = True


@compiled
def answer(t: Tables, s: State, i: int) -> None:
    """The user's next turn; ends the dialogue at the system's thanks, or when the system has had its turns."""
    s.turn[i] += 1
    if s.turn[i] > t.max_turns:
        s.over[i] = True
        s.user_act[i] = t.closing
        return
    for slot in range(t.goal.shape[1]):
        if s.said[i, slot] != UNSAID:
            s.history[i, slot] = s.said[i, slot]
    s.said[i] = UNSAID
    act = s.system_act[i]
    if act == t.inform:
        if s.told[i, t.complete] != UNSAID:
            _weigh_offer(t, s, i)
        else:
            for slot in range(t.goal.shape[1]):
                if s.told[i, slot] != UNSAID:
                    _take_answer(t, s, i, slot)
    elif act == t.request:
        _take_request(t, s, i, s.wanted[i])
    elif act == t.confirm_answer:
        _volunteer(t, s, i)
    elif act == t.thanks:
        s.over[i] = True
        s.success[i] = _succeeded(t, s, i)
    # a confirm_question or deny changes nothing: the user's act stays what it was, only without its constraints
    _mishear(t, s, i)


@compiled
def _weigh_offer(t: Tables, s: State, i: int) -> None:
    """The system offers a ticket, naming all it knows: thanks, or deny when a constraint is missing or different."""
    goal = s.goal[i]
    s.user_act[i] = t.thanks
    s.satisfied[i] = True
    if s.told[i, t.complete] == NO_MATCH:
        s.history[i, t.ticket] = NO_MATCH
        s.rest[i, t.ticket] = s.asked[i, t.ticket] = False
    for slot in range(t.goal.shape[1]):
        if t.role[goal, slot] == IN_GOAL:
            told = s.told[i, slot]
            if told < 0 or t.folded[told] != t.folded[t.goal[goal, slot]]:
                s.user_act[i] = t.deny
                s.asked[i] = False
                s.satisfied[i] = False
                return


@compiled
def _take_answer(t: Tables, s: State, i: int, slot: int) -> None:
    """The system tells a value: corrected if it contradicts a constraint, else the user goes on."""
    goal, told = s.goal[i], s.told[i, slot]
    s.history[i, slot] = told
    constraint = t.role[goal, slot] == IN_GOAL
    s.rest[i, slot] = False
    if constraint and told != t.goal[goal, slot]:
        s.user_act[i] = t.inform
        s.said[i, slot] = t.goal[goal, slot]
        return
    if not constraint:
        s.asked[i, slot] = False
    if s.asked[i].any():
        s.user_act[i] = t.request
    elif s.rest[i].any():
        _bring_up_next(t, s, i, constraint)
    else:
        s.user_act[i] = t.thanks


@compiled
def _without_ticket(t: Tables, slots: B8) -> B8:
    others = slots.copy()
    others[t.ticket] = False
    return others


@compiled
def _bring_up_next(t: Tables, s: State, i: int, confirmed: bool) -> None:
    """Tell or ask about something that is left, the ticket last.

    After an answer that was not about a constraint the user asks for the ticket along with what is told.
    """
    slot = pick_slot(s, i, _without_ticket(t, s.rest[i]))
    if slot < 0:
        s.asked[i, t.ticket] = True
        s.user_act[i] = t.request
    elif t.role[s.goal[i], slot] == IN_GOAL:
        s.said[i, slot] = t.goal[s.goal[i], slot]
        s.user_act[i] = t.inform
        s.rest[i, slot] = False
        if not confirmed and s.rest[i, t.ticket]:
            s.asked[i, t.ticket] = True
            s.user_act[i] = t.request
    else:
        s.asked[i, slot] = True
        s.user_act[i] = t.request


@compiled
def _take_request(t: Tables, s: State, i: int, slot: int) -> None:
    """The system asks for a slot: a constraint, an earlier answer, "that is what I ask you", or "I don't mind"."""
    goal = s.goal[i]
    role = t.role[goal, slot]
    if role == IN_GOAL:
        s.said[i, slot] = t.goal[goal, slot]
        s.user_act[i] = t.inform
        s.rest[i, slot] = False
        s.asked[i] = False
    elif role == REQUESTED and not s.rest[i, slot] and s.history[i, slot] != UNSAID:
        s.said[i, slot] = s.history[i, slot]
        s.user_act[i] = t.inform
        s.asked[i] = False
    elif role == REQUESTED and s.rest[i, slot]:
        s.user_act[i] = t.request
        s.asked[i, slot] = True
        for other in range(t.goal.shape[1]):
            if s.rest[i, other] and t.role[goal, other] == IN_GOAL:
                s.said[i, other] = t.goal[goal, other]
                s.rest[i, other] = False
    else:
        s.user_act[i] = t.inform if s.asked[i].any() or s.rest[i].any() else t.thanks
        s.said[i, slot] = ANY


@compiled
def _volunteer(t: Tables, s: State, i: int) -> None:
    """After a confirm_answer: whatever is left, the ticket included."""
    slot = pick_slot(s, i, s.rest[i])
    if slot < 0:
        s.user_act[i] = t.thanks
    elif t.role[s.goal[i], slot] == REQUESTED:
        s.user_act[i] = t.request
        s.asked[i, slot] = True
    else:
        s.user_act[i] = t.inform
        s.said[i, slot] = t.goal[s.goal[i], slot]
        s.rest[i, slot] = False


@compiled
def _succeeded(t: Tables, s: State, i: int) -> bool:
    """All told and answered, the last offer accepted, and nothing remembered that failed or contradicts the goal."""
    goal = s.goal[i]
    if not s.satisfied[i] or _without_ticket(t, s.asked[i]).any() or _without_ticket(t, s.rest[i]).any():
        return False
    for slot in range(t.goal.shape[1]):
        remembered = s.history[i, slot]
        if remembered == NO_MATCH:
            return False
        if t.role[goal, slot] == IN_GOAL and remembered != UNSAID and remembered != t.goal[goal, slot]:
            return False
    return True


@compiled
def _mishear(t: Tables, s: State, i: int) -> None:
    """Errors happen to what the user says and remembers alike, as in the original."""
    if t.slot_error > 0.0:
        for slot in range(t.goal.shape[1]):
            if s.said[i, slot] != UNSAID and uniform(s, i) < t.slot_error:
                lost = t.error_mode == 2 or (t.error_mode == 1 and uniform(s, i) > 0.33)
                first, last = t.word_start[slot], t.word_start[slot + 1]
                if lost:
                    s.said[i, slot] = UNSAID
                elif last > first:
                    s.said[i, slot] = t.words[first + pick(s, i, last - first)]
    if t.intent_error > 0.0 and uniform(s, i) < t.intent_error:
        s.user_act[i] = pick(s, i, t.acts)
