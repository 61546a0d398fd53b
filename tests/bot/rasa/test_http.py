"""Rasa's HTTP API over a Rasa project: trackers, events, stories, and what can be made to happen."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from ruamel.yaml import YAML

from bot.api_auth import api_auth
from bot.rasa.actions.protocol import ActionResult
from bot.rasa.reading.loading import load_project
from tests.bot.rasa.projects import DOMAIN, PIZZA, write_project
from tests.bot.rasa.served import Http, project_app, project_bot, served
from tests.bot.rasa.talk import OwnActions


@pytest.fixture
def http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Http]:
    monkeypatch.setenv("PIZZA_SLACK_TOKEN", "xoxb-0000-0000-0000-0000")
    monkeypatch.setenv("PIZZA_SLACK_SECRET", "0123456789abcdef0123")
    with served(PIZZA, tmp_path, OwnActions()) as client:
        yield client


def names(tracker: dict[str, Any]) -> list[str]:
    """The tracker's events, actions and slots by their names."""
    return [event.get("name") or event["event"] for event in tracker["events"]]


START = ["action_session_start", "session_started", "action_listen"]


def test_a_project_answers_in_rasas_shapes(http: Http) -> None:
    buttons = [{"title": "Yes", "payload": "/order_pizza"}, {"title": "No", "payload": "/goodbye"}]
    assert http.say("/greet") == [{"recipient_id": "ann", "text": "Hello! Would you like a pizza?", "buttons": buttons}]
    assert names(http.tracker())[:5] == [*START, "user", "utter_greet"]
    text, image = http.say('/ride{"city#to": "Rome"}', "bob")
    assert text["text"].startswith("We bring pizza to Rome")
    assert image == {"recipient_id": "bob", "image": "https://pizza.example/bike.png"}
    assert http("GET", "/status").json()["num_active_training_jobs"] == 0
    parsed = http("POST", "/model/parse", json={"text": "/greet"}).json()
    assert parsed["intent"] == {"name": "greet", "confidence": 1.0}
    assert "acts" not in parsed


def test_the_domain_comes_in_the_form_that_is_asked_for(http: Http) -> None:
    raw = load_project(PIZZA).domain.raw
    assert http("GET", "/domain").json() == http("GET", "/domain", headers={"Accept": "application/json"}).json() == raw
    as_yaml = http("GET", "/domain", headers={"Accept": "application/x-yaml"})
    assert YAML(typ="safe").load(as_yaml.text) == raw
    refused = http("GET", "/domain", headers={"Accept": "text/csv"})
    assert (refused.status_code, refused.json()["reason"]) == (406, "NotAcceptable")


def test_a_tracker_begins_a_conversation_and_shows_what_is_asked_for(http: Http) -> None:
    assert names(http.tracker("new")) == START
    http.say("/greet")
    http.say("/restart")
    http.say("/goodbye")
    everything, after = http.tracker(include_events="ALL"), http.tracker()
    assert "utter_greet" in names(everything)
    assert "utter_greet" not in names(after)
    assert after["latest_message"]["intent"]["name"] == "goodbye"
    assert http.tracker(include_events="NONE")["events"] is None
    early = http.tracker(include_events="ALL", until=everything["events"][0]["timestamp"])
    assert len(early["events"]) < len(everything["events"])
    for query in ({"include_events": "SOME"}, {"until": "noon"}, {"until": "nan"}):
        assert http("GET", "/conversations/ann/tracker", params=query).status_code == 400


def test_events_are_appended_durably_and_replaced(http: Http, tmp_path: Path) -> None:
    slot = {"event": "slot", "name": "topping", "value": "olives"}
    tracker = http("POST", "/conversations/ann/tracker/events", json=slot).json()
    assert tracker["slots"]["topping"] == "olives"
    assert names(tracker) == [*START, "topping"]
    user = {"event": "user", "text": "hi", "parse_data": {"intent": {"name": "greet", "confidence": 0.9}}}
    tracker = http("POST", "/conversations/ann/tracker/events", json=[user, {"event": "bot", "text": "Yes?"}]).json()
    assert tracker["latest_message"]["intent"] == {"name": "greet", "confidence": 0.9}
    assert tracker["events"][-1]["text"] == "Yes?"
    http.say("/goodbye")
    before = http.tracker(include_events="ALL")["events"]
    again = http("PUT", "/conversations/bob/tracker/events", json=before)
    assert again.status_code == 200, again.text
    assert http.tracker("bob", include_events="ALL")["events"] == before
    replaced = http("PUT", "/conversations/ann/tracker/events", json=[*before[:3], {**slot, "value": "ham"}]).json()
    assert (names(replaced), replaced["slots"]["topping"]) == ([*START, "topping"], "ham")
    assert http.say("/goodbye") == [{"recipient_id": "ann", "text": "Goodbye."}]
    with served(PIZZA, tmp_path) as restarted:
        assert restarted.tracker("ann", include_events="ALL") == http.tracker("ann", include_events="ALL")


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ([], "at least one event"),
        ("slot", "event 1 is a text"),
        ({}, "event 1 has no `event`"),
        ({"event": "sloth", "name": "x"}, "unknown `event` 'sloth'"),
        ([{"event": "restart"}, {"event": "slot", "name": "x"}], "event 2 (slot) has no `value`"),
        ({"event": "slot", "name": 5, "value": 1}, "`name` is a number"),
        ({"event": "action"}, "neither `name` nor `action_text`"),
        ({"event": "restart", "timestamp": "now"}, "`timestamp` is a text"),
        ({"event": "user", "text": "x", "message_id": 7}, "message_id"),
        ({"event": "user", "text": "x", "parse_data": {"intent": "greet", "entities": [{}]}}, "entities"),
        ({"event": "user", "text": "x", "parse_data": {"intent": {"name": "g", "confidence": "1"}}}, "confidence"),
        ({"event": "bot", "text": "x", "data": {"buttons": ["Yes"]}}, "data.buttons"),
        ({"event": "bot", "data": {"image": 1}}, "data.image"),
    ],
)
def test_invalid_events_are_named_and_nothing_is_stored(http: Http, event: Any, says: str) -> None:
    for method in ("POST", "PUT"):
        refused = http(method, "/conversations/ann/tracker/events", json=event)
        assert refused.status_code == 400, refused.text
        body = refused.json()
        assert says in body["message"]
        assert {"version", "status", "message", "reason", "details", "help", "code"} == set(body)
    assert http("GET", "/conversations/ann/story").status_code == 404


def test_metadata_stays_with_its_message(http: Http) -> None:
    said = {"sender": "ann", "message": "/greet", "metadata": {"page": "/prices", "nested": [1, {"two": None}]}}
    http("POST", "/webhooks/rest/webhook", json=said)
    tracker = http.tracker(include_events="ALL")
    (user,) = [event for event in tracker["events"] if event["event"] == "user"]
    assert (
        user["metadata"] == user["parse_data"]["metadata"] == tracker["latest_message"]["metadata"] == said["metadata"]
    )
    http("PUT", "/conversations/bob/tracker/events", json=tracker["events"])
    assert http.tracker("bob", include_events="ALL")["events"] == tracker["events"]


def test_a_client_names_its_channel_and_gets_what_is_said_there(http: Http) -> None:
    said = {"sender": "ann", "message": "/greet", "input_channel": "kiosk"}
    assert http("POST", "/webhooks/rest/webhook", json=said).status_code == 200
    assert http.tracker()["latest_input_channel"] == "kiosk"
    assert b'rejoinder_turns_total{channel="other"} 1.0' in http("GET", "/metrics").content


def test_the_same_message_id_twice_is_refused_and_nothing_changes(http: Http) -> None:
    http.say("/greet")
    before = http.tracker(include_events="ALL")
    user = {"event": "user", "text": "hi", "message_id": "m1"}
    assert http("PUT", "/conversations/ann/tracker/events", json=[user, user]).status_code == 409
    assert http.tracker(include_events="ALL") == before


def test_a_repeated_message_is_answered_as_the_first_time_its_sessions_greeting_included(tmp_path: Path) -> None:
    expiring = "session_config: {session_expiration_time: 0.0000001, carry_over_slots_to_new_session: true}\n"
    domain = DOMAIN.replace("actions: [", "actions: [action_session_start, ").strip() + "\n" + expiring
    rules = "rules:\n  - rule: hi\n    steps: [{intent: greet}, {action: utter_hello}]\n"
    project = write_project(tmp_path / "project", {"domain.yml": domain, "data/rules.yml": rules})
    greeted = ActionResult(
        ({"event": "session_started"}, {"event": "action", "name": "action_listen"}), ({"text": "Hi!"},)
    )
    with served(project, tmp_path, OwnActions(action_session_start=lambda tracker: greeted)) as http:

        def say(message_id: str) -> list[str]:
            said = {"sender": "ann", "message": "/greet", "message_id": message_id}
            return [reply["text"] for reply in http("POST", "/webhooks/rest/webhook", json=said).json()]

        first, second = say("m1"), say("m2")
        assert first == second == ["Hi!", "Hello"]
        assert say("m1") == first
        assert say("m2") == second


def test_a_conversation_is_told_as_a_test_story_that_reads_back(http: Http, tmp_path: Path) -> None:
    for text in ("/greet", '/order_pizza{"topping": "ham"}', '/inform{"size": "small"}', "Main Street: 5"):
        http.say(text)
    told = http("GET", "/conversations/ann/story")
    assert told.headers["content-type"].startswith("text/plain")
    (story,) = YAML(typ="safe").load(told.text)["stories"]
    assert story["steps"][:2] == [{"user": "/greet", "intent": "greet"}, {"action": "utter_greet"}]
    assert {"active_loop": "pizza_form"} in story["steps"]
    report = http("POST", "/model/test/stories", content=told.content)
    assert report.status_code == 200, report.text
    assert report.json()["report"]["stories"] == 1
    assert http("POST", "/model/test/stories", content=b"stories: [").json()["code"] == 400
    assert http("GET", "/conversations/nobody/story").status_code == 404


def test_an_intent_is_triggered_and_an_action_executed(http: Http) -> None:
    body = {"name": "ride", "entities": [{"entity": "city#to", "value": "Rome"}]}
    done = http("POST", "/conversations/ann/trigger_intent", json=body).json()
    assert done["messages"][0]["text"].startswith("We bring pizza to Rome")
    assert done["tracker"]["slots"]["destination"] == "Rome"
    done = http("POST", "/conversations/ann/execute", json={"name": "utter_goodbye", "policy": "me"}).json()
    assert done["messages"] == [{"recipient_id": "ann", "text": "Goodbye."}]
    executed = next(event for event in done["tracker"]["events"] if event.get("name") == "utter_goodbye")
    assert executed["policy"] == "me"
    assert names(http.tracker("fresh")) == START
    http("POST", "/conversations/fresh/execute", json={"name": "utter_goodbye"})
    assert names(http.tracker("fresh"))[:3] == START
    for path, wrong, code in (
        ("trigger_intent", {"name": "fly"}, 404),
        ("trigger_intent", {}, 400),
        ("trigger_intent", {"name": "ride", "entities": ["Rome"]}, 400),
        ("execute", {"name": "utter_nothing_known"}, 404),
        ("execute", {"name": "utter_goodbye", "confidence": "high"}, 400),
    ):
        assert http("POST", f"/conversations/ann/{path}", json=wrong).status_code == code, wrong


def test_predictions_name_every_action_and_change_nothing(http: Http) -> None:
    message = http("POST", "/conversations/ann/messages", json={"text": "/greet", "sender": "user"}).json()
    assert message["latest_message"]["intent"]["name"] == "greet"
    before = http.tracker()
    predicted = http("POST", "/conversations/ann/predict").json()
    assert predicted["scores"][0] == {"action": "utter_greet", "score": 1.0}
    assert {"pizza_form", "action_listen", "utter_goodbye"} < {score["action"] for score in predicted["scores"]}
    assert predicted["confidence"] == 1.0
    of_events = http("POST", "/model/predict", json=before["events"]).json()
    assert {**of_events, "tracker": None} == {**predicted, "tracker": None}
    assert http.tracker() == before
    assert http("POST", "/conversations/nobody/predict").status_code == 404
    wrong = {"text": "hi", "sender": "bot"}
    assert http("POST", "/conversations/ann/messages", json=wrong).status_code == 400


def test_a_page_of_another_site_makes_nothing_happen(http: Http) -> None:
    stories = b"stories: [{story: a, steps: [{intent: greet}, {action: utter_greet}]}]"
    for origin, status in (("https://evil.example", 401), ("null", 401), ("http://localhost", 200)):
        told = {"Origin": origin, "Content-Type": "text/plain"}
        assert http("POST", "/model/test/stories", content=stories, headers=told).status_code == status, origin


def test_stories_of_a_few_lines_cannot_fill_the_memory(http: Http) -> None:
    nested = "&a0 [x, x, x, x, x, x, x, x, x, x]"
    for level in range(1, 12):
        nested += f", &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]"
    answer = http("POST", "/model/test/stories", content=f"stories: [{nested}]".encode())
    assert (answer.status_code, answer.json()["reason"]) == (400, "TestingError")
    assert "aliases (*name) make the file too large" in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/model"), ("DELETE", "/model"), ("POST", "/model/train"), ("POST", "/model/test/intents")],
)
def test_what_is_not_done_over_http_says_what_to_do(http: Http, method: str, path: str) -> None:
    refused = http(method, path)
    assert (refused.status_code, refused.json()["reason"]) == (409, "Conflict")
    assert "rejoinder" in refused.json()["message"] or "stop the server" in refused.json()["message"]


def test_feedback_deletion_and_the_inspector_work_for_a_project(http: Http) -> None:
    http.say("/greet")
    http.say('/order_pizza{"topping": "ham"}')
    shown = http("GET", "/inspect/api/conversations/ann").json()
    first, second = shown["turns"]
    assert first["decision"]["action"] == "utter_greet"
    assert second["nlu"]["intents"][0]["name"] == "order_pizza"
    assert "slot topping: ham" in second["notes"]
    assert "form pizza_form" in second["notes"]
    assert second["belief"]["open"]["topping"] == {"value": "ham", "p": 1.0}
    assert shown["slots"]["topping"] == "ham"
    thumb = {"conversation_id": "ann", "message_id": first["message_id"], "value": 1, "comment": "nice"}
    assert http("POST", "/feedback", json=thumb).status_code == 200
    assert http("GET", "/inspect/api/conversations/ann").json()["turns"][0]["feedback_comment"] == "nice"
    assert http.say('/inform{"size": "large"}')[0]["text"] == "Where shall we bring it?", "the form goes on"
    assert http("DELETE", "/conversations/ann").json() == {"status": "ok"}
    assert names(http.tracker()) == START


def test_a_users_own_token_changes_the_own_conversation_and_a_widgets_token_changes_nothing(tmp_path: Path) -> None:
    key = "a-key-for-json-web-tokens-of-some-length"
    project = Path(shutil.copytree(PIZZA, tmp_path / "pizza", ignore=shutil.ignore_patterns("credentials.yml")))
    bot = project_bot(project, tmp_path)
    with asyncio.Runner() as runner:
        http = Http(project_app(bot, auth=api_auth(None, key, "HS256")), runner)
        token = jwt.encode({"user": {"username": "ann", "role": "user"}}, key, "HS256")
        widget = http("POST", "/conversations").json()
        slot = {"event": "slot", "name": "topping", "value": "ham"}
        for conversation, bearer, status in (
            ("ann", token, 200),
            ("bob", token, 403),
            ("ann", token[:-2], 401),
            ("ann", widget["token"], 401),
            (widget["conversation"], widget["token"], 401),
        ):
            path, headers = f"/conversations/{conversation}/tracker/events", {"Authorization": f"Bearer {bearer}"}
            for method in ("POST", "PUT"):
                assert http(method, path, json=slot, headers=headers).status_code == status, (conversation, method)
            assert http("POST", f"/conversations/{conversation}/predict", headers=headers).status_code == status
        assert http("POST", "/model/predict", json=slot).status_code == 401
        assert http.say("/greet", "bob")[0]["text"].startswith("Hello!"), "webhooks are open"
    bot.close()
