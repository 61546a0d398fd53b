"""The HTTP surface, asked over a real socket."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.promises.harness import ServerProcess

TOKEN = "a-long-token-for-the-inspector"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    db = tmp_path_factory.mktemp("server") / "log.sqlite3"
    with ServerProcess(db, "--origin", "https://shop.example") as running:
        yield running


@pytest.fixture(scope="module")
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=10) as client:
        yield client


def say(http: httpx.Client, sender: str, message: str, **more: Any) -> httpx.Response:
    return http.post("/webhooks/rest/webhook", json={"sender": sender, "message": message, **more})


def test_the_rest_channel_answers_as_rasa_does(http: httpx.Client) -> None:
    assert http.get("/webhooks/rest/").json() == {"status": "ok"}
    echo = {"text": "one\n\ntwo", "image": "https://example.org/a.png", "custom": {"k": [1]}}
    assert say(http, "rasa", "/echo " + json.dumps(echo)).json() == [
        {"recipient_id": "rasa", "text": "one"},
        {"recipient_id": "rasa", "text": "two"},
        {"recipient_id": "rasa", "custom": {"k": [1]}},
        {"recipient_id": "rasa", "image": "https://example.org/a.png"},
    ]
    buttons = [{"title": "Yes", "payload": "/affirm"}]
    answer = say(http, "rasa", "/echo " + json.dumps({"text": "Sure?\n\nReally?", "buttons": buttons}))
    assert answer.json() == [{"recipient_id": "rasa", "text": "Sure?\n\nReally?", "buttons": buttons}]


def test_streaming_sends_one_json_object_a_line(http: httpx.Client) -> None:
    body = {"sender": "stream", "message": '/echo {"text": "a\\n\\nb"}'}
    answer = http.post("/webhooks/rest/webhook?stream=true", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [json.loads(line)["text"] for line in answer.text.splitlines()] == ["a", "b"]


def test_any_language_and_emoji_come_back_whole(http: httpx.Client) -> None:
    text = "ça va? 你好 👩\u200d👩\u200d👧 \u202ertl\t\r\n"
    assert say(http, "unicode", text).json()[0]["text"] == f"turn 1: {text}".strip()


def test_parse_has_rasas_shape_and_ours(http: httpx.Client) -> None:
    result = http.post("/model/parse", json={"text": '/inform{"food": "thai"}'}).json()
    assert result["intent"] == {"name": "inform", "confidence": 0.9}
    assert result["intent_ranking"][0] == result["intent"]
    (entity,) = result["entities"]
    assert (entity["entity"], entity["value"], entity["extractor"]) == ("food", "thai", "test")
    assert result["acts"][0]["act"] == "inform(food=thai)"
    assert (result["sentiment"], result["out_of_scope"]) == (0.5, 0.0)


def test_the_tracker_has_rasas_shape(http: httpx.Client) -> None:
    say(http, "tracked", '/inform{"food": "thai"}', message_id="m1")
    say(http, "tracked", "hello")
    tracker = http.get("/conversations/tracked/tracker").json()
    assert tracker["sender_id"] == "tracked"
    assert tracker["slots"] == {"food": "thai", "area": None, "time": None, "name": None}
    assert tracker["latest_message"]["text"] == "hello"
    assert tracker["latest_input_channel"] == "rest"
    assert tracker["latest_action_name"] == "action_listen"
    assert (tracker["followup_action"], tracker["paused"], tracker["active_loop"]) == (None, False, {})
    kinds = [event["event"] for event in tracker["events"]]
    turns = ["user", "slot", "action", "bot", "action", "user", "action", "bot", "action"]
    assert kinds == ["action", "session_started", "action", *turns]
    assert tracker["events"][3]["parse_data"]["intent"]["name"] == "inform"
    assert tracker["latest_event_time"] == tracker["events"][-1]["timestamp"]
    assert http.get("/conversations/tracked/tracker?include_events=NONE").json()["events"] is None


@pytest.mark.parametrize(
    "path", ["/conversations/nobody/tracker", "/inspect/api/conversations/nobody", "/nothing/here", "/widget/none.js"]
)
def test_what_does_not_exist_is_a_404_with_a_reason(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == 404
    assert answer.json()["status"] == "failure"
    assert answer.json()["reason"]


def test_health_version_status_metrics(http: httpx.Client) -> None:
    assert http.get("/health").json() == {"status": "ok", "model": "test"}
    assert http.get("/version").json()["version"] == "0"
    assert http.get("/status").json()["model_id"] == "test"
    say(http, "measured", "hello")
    page = http.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    assert 'rejoinder_turns_total{channel="rest"}' in page.text
    assert 'rejoinder_stage_seconds_count{stage="store"}' in page.text
    for name in ("rejoinder_store_queue", "rejoinder_in_flight", "rejoinder_websockets"):
        assert f"\n{name} 0.0\n" in page.text
    assert "measured" not in page.text


def test_the_api_describes_every_json_operation(http: httpx.Client) -> None:
    described = http.get("/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]["/conversations"]) == {"post"}
    assert described["paths"]["/webhooks/rest/webhook"]["post"]["requestBody"]["required"]
    page = http.get("/docs").text
    for path, operations in described["paths"].items():
        assert path in page
        assert all(operation["description"] for operation in operations.values()), path


def test_every_answer_carries_the_security_headers(http: httpx.Client) -> None:
    for path in ("/", "/inspect", "/widget/safe.js", "/health", "/nothing"):
        headers = http.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "frame-ancestors 'self'" in policy
        assert "unsafe-eval" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_static_files_cannot_be_left(http: httpx.Client) -> None:
    for path in (
        "/widget/..%2fserver.py",
        "/widget/%2e%2e/auth.py",
        "/widget//etc/passwd",
        "/widget/vendor/../../auth.py",
    ):
        assert http.get(path).status_code == 404


def test_cors_is_an_allow_list(http: httpx.Client) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, authorization"}
    good = http.options("/conversations", headers={"Origin": "https://shop.example", **asked})
    assert good.status_code == 200
    assert good.headers["access-control-allow-origin"] == "https://shop.example"
    bad = http.options("/conversations", headers={"Origin": "https://evil.example", **asked})
    assert "access-control-allow-origin" not in bad.headers
    assert "access-control-allow-origin" not in http.get("/health", headers={"Origin": "https://evil.example"}).headers


def test_the_inspector_shows_every_turn_folded(http: httpx.Client) -> None:
    say(http, "seen", '/inform{"food": "thai"}', message_id="m1")
    say(http, "seen", "/book", message_id="m2")
    http.post("/feedback", json={"conversation_id": "seen", "message_id": "m1", "value": -1, "comment": "no"})
    listed = http.get("/inspect/api/conversations?limit=500").json()["conversations"]
    summary = next(entry for entry in listed if entry["id"] == "seen")
    assert (summary["turns"], summary["bookings"], summary["channel"]) == (2, 1, "rest")
    detail = http.get("/inspect/api/conversations/seen").json()
    first, second = detail["turns"]
    assert first["belief"]["slots"]["food"] == {"thai": pytest.approx(0.9)}
    assert first["nlu"]["acts"][0]["confidence"] == 0.9
    assert [a["action"] for a in first["decision"]["actions"]] == ["answer", "bye", "offer"]
    assert first["decision"]["actions"][2] == {"action": "offer", "value": None, "allowed": False}
    assert (first["feedback"], first["feedback_comment"], second["feedback"]) == (-1, "no", 0)
    assert second["notes"] == ["booked Bangkok (R2)"]
    assert second["timings_ms"] == {"nlu": 0.2, "policy": 0.1}
    hits = http.get("/inspect/api/search", params={"q": "book"}).json()["hits"]
    assert ("seen", 2) in {(hit["conversation_id"], hit["turn"]) for hit in hits}
    assert http.get("/inspect/api/search", params={"q": '"unbalanced'}).status_code == 200
    only = {"q": "book", "channel": "rest", "since": "1d", "failed": "no"}
    assert http.get("/inspect/api/search", params=only).json()["hits"] == hits
    assert http.get("/inspect/api/search", params={**only, "failed": "yes"}).json()["hits"] == []
    wrong = http.get("/inspect/api/search", params={"failed": "maybe"})
    assert (wrong.status_code, wrong.json()["message"]) == (400, "failed is 'maybe': give yes or no")


def test_feedback_is_kept_once_and_needs_a_known_message(http: httpx.Client) -> None:
    say(http, "rated", "hello", message_id="m1")
    thumb = {"conversation_id": "rated", "message_id": "m1", "value": 1}
    assert [http.post("/feedback", json=thumb).status_code for _ in range(3)] == [200] * 3
    assert http.post("/feedback", json={**thumb, "value": -1}).status_code == 200
    (message,) = http.get("/conversations/rated/messages").json()["messages"]
    assert message["feedback"] == -1
    assert http.post("/feedback", json={**thumb, "message_id": "other"}).status_code == 404
    for value in (0, 2, True, "1", 1.5, None):
        assert http.post("/feedback", json={**thumb, "value": value}).status_code == 400
    assert say(http, "rated", "and on").json()[0]["text"] == "turn 2: and on"


def test_a_failed_turn_is_a_503_that_stores_nothing(http: httpx.Client) -> None:
    say(http, "failing", "hello")
    failed = say(http, "failing", "/fail", message_id="m1")
    assert failed.status_code == 503
    assert failed.headers["retry-after"] == "1"
    assert failed.json()["reason"] == "TurnFailed"
    assert "asked to fail" not in failed.text
    assert len(http.get("/conversations/failing/messages").json()["messages"]) == 1
    assert say(http, "failing", "again").json()[0]["text"] == "turn 2: again"


def test_a_hanging_engine_is_cut_and_the_conversation_goes_on(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log.sqlite3", "--turn-seconds", "0.3") as server:
        url = f"http://127.0.0.1:{server.port}"
        with httpx.Client(base_url=url) as http:
            assert say(http, "a", "/hang").status_code == 503
            assert say(http, "a", "hello").json()[0]["text"] == "turn 1: hello"


def test_history_pages_and_shows_a_clicked_button_by_its_title(http: httpx.Client) -> None:
    say(http, "paged", "/echo " + json.dumps({"text": "?", "buttons": [{"title": "Thai", "payload": "/x"}]}))
    say(http, "paged", "/x", message_id="m2")
    first, second = http.get("/conversations/paged/messages").json()["messages"]
    assert first["replies"] == [{"text": "?", "buttons": [{"title": "Thai", "payload": "/x"}]}]
    assert (second["text"], second["payload"], second["message_id"]) == ("Thai", "/x", "m2")
    later = http.get(f"/conversations/paged/messages?after={first['seq']}").json()["messages"]
    assert later == [second]
    assert http.get("/conversations/nobody/messages").json()["messages"] == []


def test_no_text_is_ever_logged(tmp_path: Path) -> None:
    canary = "canary-7c1f"
    with ServerProcess(tmp_path / "log.sqlite3", "--access-log", "--inspect-token", TOKEN) as server:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as http:
            say(http, "a", f"hello {canary}")
            say(http, "a", f"/echo {canary}")
            http.get("/inspect/api/search", params={"q": canary}, headers={"Authorization": f"Bearer {TOKEN}"})
            http.post("/webhooks/rest/webhook", content=canary)
        server.stop()
    assert canary not in server.stderr
    assert TOKEN not in server.stderr
    assert '"path": "/webhooks/rest/webhook", "status": 200' in server.stderr


def test_the_signing_secret_is_private(server: ServerProcess, http: httpx.Client, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log.sqlite3"):
        secret = tmp_path / "log.secret"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert len(secret.read_bytes()) >= 32
