"""Selection in the engine: what is offered always fits, is never what was refused, and is told to the inspector."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from bot.assistant import Assistant
from bot.batch.served_scores import BatchScores
from bot.channels.inspection import conversation_json
from bot.config import SelectionConfig
from bot.engine import Engine
from bot.nlg.paraphrase import ParaphrasePool, ParaphraseSettings
from bot.nlg.paraphrase_check import ParaphraseCheck
from bot.recall import Recall
from bot.selection import Selection
from bot.selection_log import behaviour_of, logged_slates
from bot.selection_store import BEHAVIOUR, BLENDING, POINTER, SelectionError, SelectionVersions, load_selection
from bot.selection_venues import VenuePools
from memory.belief import BeliefState
from memory.conversation import Conversation, fold
from memory.dialogue import NLUResult, SystemAct, UserMessage
from memory.events import BotUttered, Decided, Event, Selected, event_from_json, event_to_json
from memory.key_values import write_key_values
from memory.slates import VENUES
from memory.tastes import Tastes
from policies.ranking.behaviour import Behaviour
from policies.ranking.selection import SelectionSettings, Selector
from policies.rule import RulePolicy
from policies.social import SocialPolicy

CENTRE = (
    '/inform{"area":"centre","food":"dontcare","pricerange":"dontcare","atmosphere":"dontcare","seating":"dontcare"}'
)
START = 1_795_422_000.0


async def nothing_understood(text: str, previous: SystemAct | None) -> NLUResult:
    return NLUResult(text)


class Talk:
    """One person's conversation, in message shortcuts."""

    def __init__(self, assistant: Assistant, selection: Selection, name: str = "c", seed: int = 7) -> None:
        o = assistant.ontology
        self.engine = Engine(assistant, nothing_understood, RulePolicy(o), SocialPolicy(o), seed, selection=selection)
        self.state = Conversation.new(o, name)
        self.events: list[Event] = []
        self.now = START

    def say(self, text: str, after: float = 10.0) -> SystemAct | None:
        self.now += after
        message = UserMessage(self.state.id, text, f"m{self.state.seq}", timestamp=self.now)
        turn = asyncio.run(self.engine.respond(self.state, message))
        self.state = turn.state
        self.events += turn.events
        assert isinstance(turn.events[-1], BotUttered)
        assert all(reply.text.strip() for reply in turn.events[-1].replies), "never an empty reply"
        return next(event for event in turn.events if isinstance(event, Decided)).system

    def slates(self, kind: str = VENUES) -> list:
        return [s for event in self.events if isinstance(event, Selected) for s in event.slates if s.kind == kind]


class Offers(RulePolicy):
    """Offers whenever it may, as a policy that learned it does after a change of wishes."""

    def choose(self, belief: BeliefState, masks: np.ndarray) -> np.ndarray:
        offer = self.space.names.index("offer")
        return np.where(masks[:, offer], offer, super().choose(belief, masks)).astype(np.int32)


def selection(assistant: Assistant, mode: str = "learned", **settings) -> Selection:
    config = SelectionConfig(mode=mode, **settings)
    return load_selection(config, Path("there/is/no/such/folder"), assistant.ontology)


@pytest.mark.parametrize("mode", ["learned", "fixed", "uniform"])
def test_what_is_offered_fits_all_wishes_and_is_not_what_was_refused(assistant: Assistant, mode: str) -> None:
    o = assistant.ontology
    offered = set()
    for person in range(4):
        talk = Talk(assistant, selection(assistant, mode), f"p{person}")
        act = talk.say(CENTRE)
        refused: list[str] = []
        for _ in range(5):
            assert act is not None
            assert act.entity is not None
            row = o.entity_index[act.entity.lower()]
            assert o.attribute(row, "area") == "centre"
            assert act.entity not in refused
            offered.add(act.entity)
            refused.append(act.entity)
            act = talk.say("/reqalts")
        slates = talk.slates()
        assert [s.candidates[0].key for s in slates][: len(refused)] == refused
        for slate in slates:
            assert slate.mode == mode
            assert [c.said for c in slate.candidates] == [True] + [False] * (len(slate.candidates) - 1)
            assert sum(c.propensity for c in slate.candidates) == pytest.approx(1)
            assert {o.attribute(o.entity_index[c.key.lower()], "area") for c in slate.candidates} == {"centre"}
            assert len(slate.features) <= 24
        assert [f.kind for f in talk.slates("templates")][:1] == ["templates"]
    assert len(offered) == 5 if mode == "fixed" else len(offered) > 5


def test_changing_the_wish_does_not_bring_back_what_was_refused(assistant: Assistant) -> None:
    talk = Talk(assistant, selection(assistant, "fixed"))
    first = talk.say(CENTRE)
    talk.say("/reqalts")
    talk.say('/inform{"area":"north"}')
    again = talk.say('/inform{"area":"centre"}')
    assert first is not None
    assert again is not None
    assert again.kind != "offer" or again.entity != first.entity
    assert first.entity in talk.state.feedback.refused


def test_an_offer_does_not_stay_with_a_venue_that_was_turned_down(assistant: Assistant) -> None:
    """Nor does the only one that fits come back when the wishes are widened, though it never was in a slate."""
    o, free = assistant.ontology, '"atmosphere":"dontcare","seating":"dontcare"'
    rows = [(o.attribute(n, "food"), o.attribute(n, "area")) for n in range(o.num_entities)]
    food, area = next(pair for pair in rows if rows.count(pair) == 1 and sum(f == pair[0] for f, _ in rows) > 1)
    talk = Talk(assistant, selection(assistant, "fixed"))
    only = talk.say(f'/inform{{"food":"{food}","area":"{area}","pricerange":"dontcare",{free}}}')
    assert only is not None
    assert not talk.slates()
    none = talk.say("/reqalts")
    assert none is not None
    assert none.kind == "alternative_none"
    talk.engine.policy = Offers(o)
    wider = talk.say('/inform{"area":"dontcare"}')
    assert wider is not None
    assert wider.kind == "offer"
    assert wider.entity not in (None, only.entity)
    named = talk.say(f'/inform{{"name":"{only.entity}"}}')
    assert named is not None
    assert named.entity == only.entity, "unless it is asked for"


def test_the_same_turn_gives_the_same_slates_and_they_survive_json(assistant: Assistant) -> None:
    lines = [CENTRE, "/reqalts", "/hello", "/faq/" + assistant.faq[0].id, "/book"]
    talks = [Talk(assistant, selection(assistant)) for _ in range(2)]
    for talk in talks:
        for line in lines:
            talk.say(line)
    first, second = ([event_to_json(e) for e in talk.events if isinstance(e, Selected)] for talk in talks)
    assert first
    assert first == second
    again = [event_from_json(event_to_json(event)) for event in talks[0].events]
    state = fold(assistant.ontology, "c", again)
    assert state.feedback == talks[0].state.feedback
    assert state.feedback.tastes.candidates


def taught(assistant: Assistant, name: str, likes: str) -> Talk:
    """Somebody who took up only what has the price range ``likes``, on several days, and asks the same question."""
    talk = Talk(assistant, selection(assistant, exploration=0.0), name)
    o = assistant.ontology
    for _ in range(8):
        act = talk.say(CENTRE, after=86_400.0)
        for _ in range(4):
            assert act is not None
            if act.entity and o.attribute(o.entity_index[act.entity.lower()], "pricerange") == likes:
                talk.say('/request{"attribute":"phone"}')
                break
            act = talk.say("/reqalts")
        talk.say("/restart")
    talk.say(CENTRE, after=86_400.0)
    return talk


def test_the_same_question_of_two_people_is_answered_by_their_histories(assistant: Assistant) -> None:
    o = assistant.ontology
    shown = {}
    for likes in ("cheap", "expensive"):
        talk = taught(assistant, f"likes-{likes}", likes)
        turn = conversation_json(o, talk.state.id, talk.events)["turns"][-1]
        slate = next(s for s in turn["selection"] if s["kind"] == VENUES)
        shown[likes] = [c["key"] for c in slate["candidates"]]
        prices = [o.attribute(o.entity_index[key.lower()], "pricerange") for key in shown[likes]]
        mine = [c for c in slate["candidates"] if "for_you" in c["pools"]]
        best = min(mine, key=lambda c: c["pools"]["for_you"])
        assert prices[shown[likes].index(best["key"])] == likes, "what is like what this person took up"
        assert best["features"]["affinity_pricerange"] > 0.3
        assert slate["ratio"]["for_you"] > 0
        assert all(c["propensity"] >= 0 for c in slate["candidates"])
    assert shown["cheap"] != shown["expensive"]


def test_a_pool_that_throws_costs_no_reply(assistant: Assistant) -> None:
    chosen = selection(assistant)

    def broken(*args: object) -> list[int]:
        raise OSError("the index is gone")

    chosen.venues._ordered = broken  # type: ignore[method-assign]
    talk = Talk(assistant, chosen)
    act = talk.say(CENTRE)
    assert act is not None
    assert act.kind == "offer"
    assert all(not candidate.pools for candidate in talk.slates()[0].candidates)


def test_nightly_scores_are_features_and_a_damaged_file_costs_nothing(assistant: Assistant, tmp_path: Path) -> None:
    names = assistant.ontology.entity_names
    path = tmp_path / "scores.sqlite3"
    popularity = [(name, {"choice_rate": round(0.1 + 0.001 * n, 4)}) for n, name in enumerate(names)]
    write_key_values(path, {"popularity": popularity, "affinity": [("", {names[0]: 0.25})]}, {"made_at": START})
    pools = VenuePools(assistant.ontology, Behaviour(), scores=BatchScores(path))
    features = pools.match(Tastes(), 1, 0, "somebody").features([0, 5])
    columns = [pools.names.index(name) for name in ("nightly_rate", "nightly_affinity")]
    assert features[:, columns].tolist()[0] == [0.1, 0.25]
    assert features[1, columns[0]] == 0.105
    assert np.isnan(features[1, columns[1]])

    class Damaged:
        def popularity(self, venues: object) -> np.ndarray:
            raise OSError("disk")

        affinities = popularity

    broken = VenuePools(assistant.ontology, Behaviour(), scores=Damaged())  # type: ignore[arg-type]
    assert np.isnan(broken.match(Tastes(), 1, 0).features([0, 5])[:, columns]).all()


def test_by_default_the_engine_offers_in_the_tables_order(assistant: Assistant) -> None:
    o = assistant.ontology
    engine = Engine(assistant, nothing_understood, RulePolicy(o), SocialPolicy(o))
    talk = Talk(assistant, engine.selection)
    act = talk.say(CENTRE)
    assert act is not None
    assert act.entity == next(n for n, area in zip(o.entity_names, o.entities["area"], strict=True) if area == "centre")


def test_slates_with_feedback_name_nobody(assistant: Assistant) -> None:
    talk = Talk(assistant, selection(assistant), "+44 1632 960 999")
    talk.say(CENTRE)
    talk.say("/reqalts")
    talk.say('/request{"attribute":"phone"}')
    found = logged_slates(talk.state.id, talk.events)
    venues = [item for item in found if item.slate.kind == VENUES]
    assert [action for item in venues for action, *_ in item.feedback] == ["refused", "accepted"]
    assert venues[0].session == venues[1].session, "one search"
    assert not any("960" in item.query + item.person for item in found)
    counts = behaviour_of(found).kinds[VENUES]
    assert sum(c.shown for c in counts.values()) == 2
    assert sum(c.positive for c in counts.values()) == 1


@pytest.mark.parametrize("name", [POINTER, BEHAVIOUR, BLENDING])
def test_damaged_files_are_named(assistant: Assistant, tmp_path: Path, name: str) -> None:
    versions = SelectionVersions(tmp_path)
    fresh = selection(assistant)
    population = fresh.selector.blenders[VENUES]
    with versions.staging() as staged:
        (staged / BEHAVIOUR).write_text(fresh.behaviour.to_json())
        from policies.ranking.blending_bandit import BlendState

        (staged / BLENDING).write_text(BlendState({}, population[1]).to_json())
        versions.publish(staged, "v1")
    load_selection(SelectionConfig(), tmp_path, assistant.ontology)
    with pytest.raises(SelectionError, match=BLENDING):
        load_selection(SelectionConfig(pools=("new", "popular")), tmp_path, assistant.ontology)
    path = tmp_path / name if name == POINTER else tmp_path / "versions" / "v1" / name
    for damage in ("", "[]", json.dumps({"version": 3, "format": 9})):
        path.write_text(damage)
        with pytest.raises(SelectionError, match=name):
            load_selection(SelectionConfig(), tmp_path, assistant.ontology)
    assert load_selection(SelectionConfig(mode="fixed"), tmp_path, assistant.ontology), "which reads nothing"


def test_wordings_are_said_as_often_as_their_slates_say(assistant: Assistant) -> None:
    chosen = Selection(assistant.ontology, Selector(SelectionSettings()))
    said: dict[str, int] = {}
    expected: dict[str, float] = {}
    for seed in range(150):
        talk = Talk(assistant, chosen, seed=seed)
        talk.say("/hello")
        for slate in talk.slates("templates")[:1]:
            for candidate in slate.candidates:
                said[candidate.key] = said.get(candidate.key, 0) + candidate.said
                expected[candidate.key] = expected.get(candidate.key, 0.0) + candidate.propensity
    assert len(said) > 1
    for key, count in expected.items():
        assert abs(said[key] - count) < 4.5 * np.sqrt(count)


def test_paraphrases_are_a_pool_of_their_own(assistant: Assistant) -> None:
    class Reworder:
        def write(self, text: str, count: int, seconds: float, seed: int) -> list[str]:
            return [f"Well then: {text}", "Call 01632 960 000 now"]

    pool = ParaphrasePool(Reworder(), ParaphraseCheck(()), ParaphraseSettings(model="x", seconds=5.0))
    chosen = Selection(assistant.ontology, Selector(SelectionSettings()), paraphrases=pool)
    said = set()
    for seed in range(12):
        talk = Talk(assistant, chosen, seed=seed)
        talk.say("/hello")
        slate = talk.slates("templates")[0]
        pools = {candidate.pool for candidate in slate.candidates}
        assert pools == {"wordings", "paraphrases"}
        reply = talk.events[-1]
        assert isinstance(reply, BotUttered)
        said.add(reply.replies[0].text.startswith("Well then: "))
        assert not any("01632 960 000" in r.text for r in reply.replies), "what is invented is refused"
    assert said == {True, False}


def test_the_words_of_the_memory_have_their_slates_too(assistant: Assistant) -> None:
    o = assistant.ontology
    recall = Recall(assistant, None)
    engine = Engine(
        assistant, nothing_understood, RulePolicy(o), SocialPolicy(o), recall=recall, selection=selection(assistant)
    )
    state = Conversation.new(o, "c")
    queries: list[str] = []
    for text in ("/book", CENTRE, "/book", "I'm vegetarian", "I'm vegetarian. /hello"):
        turn = asyncio.run(engine.respond(state, UserMessage("c", text, f"m{state.seq}", timestamp=START)))
        state = turn.state
        found = [s for event in turn.events if isinstance(event, Selected) for s in event.slates]
        queries += [s.query for s in found]
        if "vegetarian" in text:
            assert any(s.candidates[0].key.startswith("utter_preference_noted") for s in found)
    assert len(set(queries)) == len(queries), "a query names one slate"
