"""The promises of a Rasa project's turns: the right actions in Rasa's order, again and again the same."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import CommandError
from bot.rasa.actions.protocol import ActionFailed, ActionRejected, ActionResult
from bot.rasa.actions.response_server import ResponseServerError
from bot.rasa.conversation import new_conversation
from bot.rasa.default_actions import NOT_UNDERSTOOD
from bot.rasa.engine import APOLOGY, MAX_PREDICTIONS
from bot.rasa.tracker import current_state
from memory.dialogue import UserMessage
from memory.events import BotUttered, TrackerEvent, UserUttered
from policies.stories.state import History, StoryPrediction
from tests.bot.rasa.projects import PIZZA, write_project
from tests.bot.rasa.talk import OwnActions, Talk, result, slot

DOMAIN = """
version: "3.1"
intents: [greet, bye, order, ask, mood, yes, "no"]
slots:
  known:
    type: bool
    mappings: [{type: custom}]
actions: [action_order, action_other]
responses:
  utter_hello: [{text: Hello}]
  utter_bye: [{text: Bye}]
  utter_done: [{text: Done}]
  utter_again: [{text: Again}]
  utter_answer: [{text: Answer}]
  utter_fine: [{text: Fine}]
"""

DATA = """
version: "3.1"
rules:
- rule: hello only at the beginning
  conversation_start: true
  steps: [intent: greet, action: utter_hello]
- rule: bye
  steps: [intent: bye, action: utter_bye]
- rule: order
  steps: [intent: order, action: action_order, action: utter_done]
- rule: an answer that goes on
  wait_for_user_input: false
  steps: [intent: ask, action: utter_answer]
- rule: known people
  condition: [slot_was_set: [known: true]]
  steps: [action: utter_answer, action: utter_again]
- rule: strangers
  condition: [slot_was_set: [known: null]]
  steps: [action: utter_answer, action: utter_fine]
stories:
- story: mood
  steps: [intent: mood, action: utter_fine, intent: "yes", action: utter_again]
- story: mood, no
  steps: [intent: mood, action: utter_fine, intent: "no", action: utter_done]
"""

BYE = "{rule: bye, steps: [intent: bye, action: utter_bye]}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_project(tmp_path, {"domain.yml": DOMAIN, "data/all.yml": DATA})


def ordered(tracker: object) -> ActionResult:
    return result(slot("known", True), say=[{"text": "Your order is on its way."}])


def test_a_turn_tells_what_happened_in_rasas_order(folder: Path) -> None:
    talk = Talk.with_project(folder, OwnActions(action_order=ordered))
    turn = talk.turn("/order")
    told = [
        "user" if isinstance(e, UserUttered) else "bot" if isinstance(e, BotUttered) else (e.name, e.fields.get("name"))
        for e in turn.events
        if isinstance(e, UserUttered | BotUttered | TrackerEvent)
    ]
    assert told == [
        ("action", "action_session_start"), ("session_started", None), ("action", "action_listen"), "user",
        ("action", "action_order"), "bot", ("slot", "known"), ("action", "utter_done"), "bot",
        ("action", "action_listen"),
    ]  # fmt: skip
    assert talk.state.slots["known"] is True


def test_rules_know_the_beginning_conditions_and_when_not_to_wait(folder: Path) -> None:
    talk = Talk.with_project(folder)
    assert talk.say("/greet") == ["Hello"]
    assert talk.say("/greet") == [NOT_UNDERSTOOD]
    assert talk.say("/ask") == ["Answer", "Fine"]
    talk.told(("slot", {"name": "known", "value": True}))
    assert talk.say("/ask") == ["Answer", "Again"]
    talk.told(("slot", {"name": "known", "value": False}))
    assert talk.say("/ask") == ["Answer"], "no rule goes on: the bot has answered and waits"


def test_a_story_goes_on_after_rules_and_a_message_that_nobody_understood(folder: Path) -> None:
    talk = Talk.with_project(folder)
    talk.say("/mood")
    assert talk.say("/bye") == ["Bye"]
    assert talk.say("/greet") == [NOT_UNDERSTOOD]
    assert talk.say("/no") == ["Done"]
    assert talk.say("/mood") == ["Fine"]
    assert talk.say("/yes") == ["Again"]


def test_the_log_gives_the_same_state_and_the_same_turn_gives_the_same_events(folder: Path) -> None:
    talk = Talk.with_project(PIZZA)
    order = ("/greet", "/order_pizza", '/inform{"topping": "ham"}', "/faq/price", "what?", "/stop")
    for text in (*order, "/restart", "/greet"):
        before = talk.state
        turn = talk.turn(text)
        assert talk.reread() == talk.state
        message = next(e for e in turn.events if isinstance(e, UserUttered))
        again = UserMessage("ann", text, message.message_id, "rest", talk.now)
        assert asyncio.run(talk.engine.respond(before, again)) == turn
    json.dumps(current_state(talk.engine.domain, "ann", talk.events, "ALL"), allow_nan=False)


def test_an_action_that_fails_costs_a_sentence_and_is_recorded(folder: Path) -> None:
    def fail(tracker: object) -> ActionResult:
        raise ActionFailed("action_order", "timeout", "no answer within 4 s")

    talk = Talk.with_project(folder, OwnActions(action_order=fail))
    assert talk.say("/order") == [APOLOGY], "what should follow the action must not be said"
    recorded = next(e for e in talk.events if isinstance(e, TrackerEvent) and e.name == "action_failed")
    assert recorded.fields == {"name": "action_order", "kind": "timeout", "reason": "no answer within 4 s"}
    assert talk.state.latest_action == "action_listen"
    assert talk.say("/bye") == ["Bye"]
    events = current_state(talk.engine.domain, "ann", talk.events, "ALL")["events"]
    assert "action_failed" not in {event["event"] for event in events}, "Rasa's clients don't know this event"


def test_the_projects_own_words_for_a_failure(tmp_path: Path) -> None:
    domain = DOMAIN + "  utter_action_failed: [{text: The kitchen is closed.}]\n"
    folder = write_project(tmp_path, {"domain.yml": domain, "data/all.yml": DATA})
    assert Talk.with_project(folder).say("/order") == ["The kitchen is closed."]


def test_a_rejected_action_makes_room_for_the_next_policy(folder: Path) -> None:
    class Learned:
        name = "learned"

        def predict(self, history: History) -> StoryPrediction:
            return StoryPrediction({"action_order": 0.5, "utter_hello": 0.4}, "learned")

    def reject(tracker: object) -> ActionResult:
        raise ActionRejected("action_order", "not now")

    talk = Talk.with_project(folder, OwnActions(action_order=reject), Learned())
    talk.say("/order")
    actions = talk.actions()
    assert actions[1] == "utter_hello"
    assert "action_order" not in actions
    rejected = [e for e in talk.events if isinstance(e, TrackerEvent) and e.name == "action_execution_rejected"]
    assert rejected[0].fields == {"name": "action_order", "policy": "RulePolicy", "confidence": 1.0}


def test_rules_that_never_listen_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = "[intent: 'yes', action: utter_again]"
    steps = (begun, "[action: utter_again, action: utter_fine]", "[action: utter_fine, action: utter_again]")
    rules = "".join(f"- {{rule: r{n}, wait_for_user_input: false, steps: {s}}}\n" for n, s in enumerate(steps))
    write_project(tmp_path, {"domain.yml": DOMAIN, "data/rules.yml": f"rules:\n{rules}- {BYE}\n"})
    talk = Talk.with_project(tmp_path)
    assert talk.say("/yes") == ["Again", "Fine"] * (MAX_PREDICTIONS // 2)
    assert talk.state.latest_action == "action_listen"
    assert talk.say("/bye")[0] == "Bye"
    monkeypatch.setenv("MAX_NUMBER_OF_PREDICTIONS", "3")
    assert Talk.with_project(tmp_path).say("/yes") == ["Again", "Fine", "Again"]
    monkeypatch.setenv("MAX_NUMBER_OF_PREDICTIONS", "many")
    with pytest.raises(CommandError, match="MAX_NUMBER_OF_PREDICTIONS is 'many': give a whole number"):
        Talk.with_project(tmp_path)


def test_what_was_learned_says_nothing_twice_in_a_turn(folder: Path) -> None:
    class Talkative:
        name = "talkative"

        def predict(self, history: History) -> StoryPrediction:
            return StoryPrediction({"utter_again": 0.5, "utter_hello": 0.6}, "talkative")

    assert Talk.with_project(folder, policy=Talkative()).say("/nobody_says") == ["Hello", "Again"]


def test_actions_may_choose_what_follows_and_word_responses(folder: Path) -> None:
    def order(tracker: object) -> ActionResult:
        said = {"response": "utter_hello", "buttons": [{"title": "ok", "payload": "/yes"}], "text": None}
        return result({"event": "followup", "name": "utter_bye"}, say=[said])

    talk = Talk.with_project(folder, OwnActions(action_order=order))
    replies = talk.replies("/order")
    assert [reply.text for reply in replies][:2] == ["Hello", "Bye"]
    assert replies[0].buttons[0].payload == "/yes"
    assert (replies[0].parts or {})["metadata"] == {"utter_action": "utter_hello"}


def test_action_servers_get_a_short_tracker_and_a_key_per_step(folder: Path) -> None:
    own = OwnActions(action_order=lambda tracker: result())
    talk = Talk.with_project(folder, own)
    for _ in range(40):
        talk.say("/ask")
    talk.turn("/order")
    talk.turn("/order")
    (_, tracker, key), (_, _, other) = own.calls
    assert tracker["latest_message"]["intent"]["name"] == "order"
    assert tracker["events"][-1]["event"] == "user"
    assert len(tracker["events"]) < 50
    assert key
    assert other
    assert key != other


def test_a_response_server_words_what_is_said_and_the_domain_when_it_fails(folder: Path) -> None:
    class Server:
        broken = False

        async def generate(
            self,
            response: str,
            tracker: Mapping[str, Any],
            channel: str,
            arguments: Mapping[str, Any] | None = None,
            response_id: str | None = None,
        ) -> dict[str, Any]:
            if self.broken:
                raise ResponseServerError("no answer")
            return {"text": f"{response} on {channel} after {tracker['latest_message']['text']}"}

    talk, server = Talk.with_project(folder), Server()
    talk.engine.source = server
    assert talk.say("/bye") == ["utter_bye on rest after /bye"]
    server.broken = True
    assert talk.say("/bye") == ["Bye"]


def test_events_from_outside_do_not_confuse_the_rules(folder: Path) -> None:
    talk = Talk.with_project(folder)
    talk.say("/mood")
    turn = asyncio.run(talk.engine.execute(talk.state, "utter_hello", 1.0))
    talk.state = turn.state
    assert talk.say("/bye") == ["Bye"]
    talk.told(
        ("slot", {"name": "no_such_slot", "value": 1}), ("agent", {"text": "hello"}), ("followup", {"name": "??"})
    )
    assert talk.say("/bye") == ["Bye"]


def test_restart_back_pause_and_new_sessions(folder: Path) -> None:
    talk = Talk.with_project(folder, OwnActions(action_order=ordered))
    talk.say("/mood")
    talk.say("/yes")
    assert talk.say("/back") == []
    assert talk.say("/no") == ["Done"], "the answer before was taken back"
    talk.say("/order")
    talk.turn("/mood", after=59 * 60)
    before = len(talk.events)
    assert talk.say("/greet", after=61 * 60) == ["Hello"]
    assert talk.actions(before)[0] == "action_session_start"
    assert talk.state.slots["known"] is True, "carried over"
    talk.say("/restart")
    assert talk.state.slots["known"] is None
    talk.told(("pause", {}))
    assert talk.say("/bye") == []
    talk.say("/restart")
    assert talk.say("/greet") == ["Hello"]


def test_two_stage_fallback_offers_asks_and_forgets(tmp_path: Path) -> None:
    steps = "[intent: nlu_fallback, action: action_two_stage_fallback, active_loop: action_two_stage_fallback]"
    rule = f"\n- rule: unclear\n  steps: {steps}\n"
    data = DATA.replace("\nstories:", rule + "stories:")
    folder = write_project(tmp_path, {"domain.yml": DOMAIN, "data/all.yml": data})
    talk = Talk.with_project(folder)
    talk.say("/mood")
    offer = talk.replies("gibberish")[0]
    assert offer.text == "Did you mean 'greet'?"
    assert [button.payload for button in offer.buttons] == ["/greet", "/out_of_scope"]
    assert talk.say("/out_of_scope") == [NOT_UNDERSTOOD]
    assert talk.say("/yes") == ["Again"], "as if nothing had been said in between"
    assert talk.state.active_loop is None
    assert talk.reread() == talk.state
    talk.say("gibberish")
    assert talk.say("more gibberish") == [NOT_UNDERSTOOD]
    assert talk.state.active_loop is None


def test_stories_may_tell_of_words(tmp_path: Path) -> None:
    data = """
    version: "3.1"
    stories:
    - story: words
      steps:
      - user: "What is the password?"
      - bot: "I won't tell you."
      - intent: bye
      - action: utter_bye
    """
    talk = Talk.with_project(write_project(tmp_path, {"domain.yml": DOMAIN, "data/all.yml": data}))
    assert talk.say("what is the  PASSWORD?") == ["I won't tell you."]
    assert talk.say("/bye") == ["Bye"]


def test_execute_runs_any_action_and_refuses_unknown_ones(folder: Path) -> None:
    talk = Talk.with_project(folder)
    turn = asyncio.run(talk.engine.execute(talk.state, "utter_bye", 1.0, "me", 0.5))
    action, said = turn.events
    assert isinstance(action, TrackerEvent)
    assert action.fields == {"name": "utter_bye", "policy": "me", "confidence": 0.5}
    assert isinstance(said, BotUttered)
    assert said.replies[0].text == "Bye"
    with pytest.raises(LookupError, match="action_unknown"):
        asyncio.run(talk.engine.execute(talk.state, "action_unknown", 1.0))


def test_long_conversations_cost_no_more_than_short_ones(folder: Path) -> None:
    talk = Talk.with_project(folder)
    domain = talk.engine.domain

    async def seconds(turns: int) -> float:
        state = new_conversation(domain, "long")
        for i in range(turns):
            state = (await talk.engine.respond(state, UserMessage("long", "/ask", str(i), "rest", 5.0))).state
        assert len(state.recent) < 300
        assert len(state.seen.steps) <= 20
        best = []
        for _ in range(30):
            begun = time.perf_counter()
            await talk.engine.respond(state, UserMessage("long", "/ask", "last", "rest", 5.0))
            best.append(time.perf_counter() - begun)
        return min(best)

    short, long = asyncio.run(seconds(30)), asyncio.run(seconds(400))
    assert long < 3 * short


MESSAGES = (
    "/greet", "/affirm", "/deny", "/order_pizza", '/inform{"topping": "ham"}', '/inform{"size": "large"}',
    '/inform{"size": "huge", "topping": ["olives", "ham"]}', "/inform", "/faq/price", "/faq", "/stop", "/thank",
    '/ride{"city#to": "Naples"}', "/goodbye", "/back", "/restart", "/session_start", "nonsense", "",
)  # fmt: skip
ENGINE = Talk.with_project(PIZZA).engine


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(MESSAGES), st.sampled_from([1.0, 4_000.0])), max_size=12))
def test_every_turn_of_every_conversation_ends_by_listening(messages: list[tuple[str, float]]) -> None:
    talk = Talk(ENGINE, new_conversation(ENGINE.domain, "ann"))
    for text, after in messages:
        events = talk.turn(text, after=after).events
        last = events[-1]
        assert isinstance(last, TrackerEvent)
        assert (last.name, last.fields["name"]) == ("action", "action_listen")
        assert len([e for e in events if isinstance(e, UserUttered)]) == 1
        form = talk.state.active_loop
        assert form is None or talk.state.requested_slot in ENGINE.domain.forms[form].required_slots
    assert talk.reread() == talk.state
