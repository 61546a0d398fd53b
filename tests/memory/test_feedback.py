"""What people did, derived from events: every kind of feedback, and a fold that stays small whatever comes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from memory.dialogue import BotResponse, Button, Decision, DialogueAct, NLUResult, ScoredAct, SystemAct
from memory.events import (
    Booked,
    BotUttered,
    Decided,
    Event,
    FeedbackGiven,
    MemoryCleared,
    Selected,
    UserUttered,
    event_from_json,
    event_to_json,
)
from memory.feedback import RECENT, SILENCE, FeedbackState, derive, observe
from memory.slates import OfferedCandidate, OfferedSlate
from memory.tastes import KEPT


def slate(query: str, key: str, kind: str = "venues", pool: str = "popular") -> OfferedSlate:
    said = OfferedCandidate(key, pool, {pool: 0}, (0.5, None), 0.75, 1.5, said=True)
    other = OfferedCandidate("Elsewhere", "new", {"new": 0}, (None, -1.0), 0.25)
    return OfferedSlate(kind, query, "learned", {"popular": 0.75, "new": 0.25}, 0.05, "v1", ("a", "b"), (said, other))


class Talk:
    """Events of one conversation, a turn at a time."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.now = 1000.0

    def turn(self, text: str, *acts: str, slates=(), action="offer", after=10.0, entity=None):
        self.now += after
        understood = NLUResult(text, tuple(ScoredAct(DialogueAct.parse(act), 0.9) for act in acts))
        self.events.append(UserUttered(self.now, text, f"m{len(self.events)}", "rest", understood))
        system = SystemAct(action, entity=entity) if entity else None
        self.events.append(Decided(self.now, Decision(action, "rule"), system))
        if slates:
            self.events.append(Selected(self.now, slates))
        reply = BotResponse("hear", (Button("Book a table", "/book"), Button("Something else", "/reqalts")))
        self.events.append(BotUttered(self.now, (reply,)))
        return self

    def offer(self, key: str = "Thai Orchid", query: str = "1") -> Talk:
        wording = slate(f"{query}w", "utter_offer#1", "templates", "wordings")
        return self.turn("thai food please", "inform(food=thai)", slates=(slate(query, key), wording))

    def state(self) -> FeedbackState:
        state = FeedbackState()
        for event in self.events:
            state, _ = observe(state, event)
        return state

    def found(self, now: float | None = None) -> list[tuple[str, str]]:
        return [(f.action, f.candidate) for f in derive(self.events, now)]


def test_an_offer_whose_details_are_asked_for_is_accepted_once() -> None:
    talk = Talk().offer().turn("the phone number?", "request(phone)").turn("and the address?", "request(address)")
    assert talk.found() == [("accepted", "Thai Orchid")]


def test_a_button_is_clicked_and_the_booking_belongs_to_the_offer() -> None:
    talk = Talk().offer().turn("/book", "book()")
    talk.events.append(Booked(talk.now, "REF", "Thai Orchid", {}))
    assert set(talk.found()) == {
        ("accepted", "Thai Orchid"),
        ("clicked", "Thai Orchid"),
        ("clicked", "utter_offer#1"),
        ("booked", "Thai Orchid"),
    }


def test_who_wants_something_else_refuses_the_venue_and_not_the_words() -> None:
    talk = Talk().offer().turn("/reqalts", "reqalts()", slates=(slate("2", "Kumo"),)).turn("no", "negate()")
    assert talk.found() == [("refused", "Thai Orchid"), ("clicked", "utter_offer#1"), ("refused", "Kumo")]


def test_a_no_to_a_later_question_refuses_nothing() -> None:
    talk = Talk().offer().turn("the phone number?", "request(phone)", action="answer").turn("no, thanks", "negate()")
    assert talk.found() == [("accepted", "Thai Orchid")]


def test_reactions_are_about_the_venue_that_was_spoken_of_last() -> None:
    talk = Talk().offer().turn("thai in the north", "inform(food=thai)", entity="Ploy's")
    talk.turn("its phone?", "request(phone)", action="answer", entity="Ploy's").turn("others?", "reqalts()")
    assert talk.found() == [], "nobody said anything about the first one, and the second one was the only one"
    assert talk.state().refused == ("Ploy's",)
    back = talk.turn("and the first?", "inform(name=thai orchid)", action="answer", entity="Thai Orchid")
    back.turn("where is it?", "request(address)", action="answer", entity="Thai Orchid").turn("bye", "bye()")
    assert back.found() == [("accepted", "Thai Orchid")], "the slate it came from gets what is due"


def test_a_no_to_the_same_offer_again_refuses_it() -> None:
    talk = Talk().offer().turn("its phone?", "request(phone)", action="answer", entity="Thai Orchid")
    talk.turn("any price", "inform(pricerange=dontcare)", entity="Thai Orchid").turn("no", "negate()")
    assert talk.found() == [("accepted", "Thai Orchid"), ("refused", "Thai Orchid")]
    assert talk.state().refused == ("Thai Orchid",)
    talk.turn("thai food", "inform(food=thai)", entity="Thai Orchid").turn("no", "negate()")
    assert talk.state().refused == ("Thai Orchid",), "there was no other"


def test_goodbye_and_silence_abandon_what_nobody_took_up() -> None:
    assert Talk().offer().turn("bye", "bye()", action="bye").found() == [("abandoned", "Thai Orchid")]
    assert Talk().offer().turn("hello again", "hello()", after=SILENCE + 1).found() == [("abandoned", "Thai Orchid")]
    waiting = Talk().offer()
    assert waiting.found() == []
    assert waiting.found(now=waiting.now + SILENCE - 1) == []
    assert waiting.found(now=waiting.now + SILENCE + 1) == [("abandoned", "Thai Orchid")]
    took_up = Talk().offer().turn("its phone?", "request(phone)").turn("bye", "bye()", action="bye")
    assert took_up.found() == [("accepted", "Thai Orchid")]


def test_having_to_say_it_again_speaks_against_the_words() -> None:
    again = Talk().offer().turn("Thai  food please", "inform(food=thai)", slates=(slate("2", "Kumo"),))
    assert again.found() == [("rephrased", "utter_offer#1")]
    more = Talk().offer().turn("another", "reqalts()", slates=(slate("2", "Kumo"), slate("2w", "w", "templates")))
    assert more.turn("another", "reqalts()").found() == [("refused", "Thai Orchid"), ("refused", "Kumo")]
    lost = Talk().offer().turn("gnarf", action="ask_rephrase")
    assert lost.found() == [("rephrased", "utter_offer#1")]


def test_a_thumb_is_for_everything_that_was_chosen_in_its_turn() -> None:
    talk = Talk().offer()
    talk.events.append(FeedbackGiven(talk.now, "m0", -1))
    assert set(talk.found()) == {("thumbs_down", "Thai Orchid"), ("thumbs_down", "utter_offer#1")}


def test_clocks_that_go_backwards_are_no_silence() -> None:
    talk = Talk().offer().turn("hm", after=-1e9).turn("the phone?", "request(phone)", after=float("nan"))
    assert talk.found() == [("accepted", "Thai Orchid")]


def test_what_is_forgotten_on_demand_is_gone() -> None:
    talk = Talk().offer().turn("its phone?", "request(phone)")
    state = FeedbackState()
    for event in [*talk.events, MemoryCleared(talk.now)]:
        state, _ = observe(state, event)
    assert not state.tastes.candidates
    assert not state.said


def test_100_000_events_leave_a_small_state() -> None:
    state = FeedbackState()
    offered = [Selected(0.0, (slate("q", f"venue {i}"),)) for i in range(500)]
    heard = UserUttered(0.0, "other", "m", "rest", NLUResult("other", (ScoredAct(DialogueAct("reqalts"), 0.9),)))
    given = 0
    for i in range(50_000):
        event = offered[i % 500]
        fresh = replace(event.slates[0], query=str(i))
        state, _ = observe(state, Selected(float(i), (fresh,)))
        state, found = observe(state, heard)
        given += len(found)
    assert given == 50_000
    assert len(state.said) <= RECENT
    assert len(state.refused) <= RECENT
    assert len(state.tastes.candidates) <= KEPT
    assert all(counts.shown < 51 for counts in state.tastes.pools.values()), "the past fades"


acts = st.sampled_from(
    ["reqalts()", "bye()", "book()", "negate()", "affirm()", "request(phone)", "repeat()", "hello()"]
)


@given(st.lists(st.tuples(acts, st.booleans(), st.floats(-1e5, 1e5)), max_size=12))
def test_feedback_is_about_what_was_said_and_each_kind_once(turns: list[tuple[str, bool, float]]) -> None:
    talk = Talk()
    for number, (act, offers, after) in enumerate(turns):
        slates = (slate(str(number), f"venue {number % 3}"),) if offers else ()
        talk.turn(act, act, slates=slates, after=after)
    found = list(derive(talk.events, talk.now + 1e6))
    assert len({(f.slate, f.action) for f in found}) == len(found)
    said = {
        (s.query, c.key)
        for e in talk.events
        if isinstance(e, Selected)
        for s in e.slates
        for c in s.candidates
        if c.said
    }
    assert {(f.slate, f.candidate) for f in found} <= said
    assert found == list(derive([event_from_json(event_to_json(e)) for e in talk.events], talk.now + 1e6))
