"""Tokens, origins and the WebSocket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from bot.auth import (
    ConversationTokens,
    SecretError,
    bearer,
    load_secret,
    new_conversation_id,
    new_message_id,
    origin_allowed,
)
from tests.promises.harness import ServerProcess

TOKEN = "a-long-token-for-the-inspector"
SECRET = b"s" * 32


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    db = tmp_path_factory.mktemp("access") / "log.sqlite3"
    options = ("--inspect-token", TOKEN, "--origin", "https://shop.example")
    with ServerProcess(db, *options) as running:
        yield running


@pytest.fixture(scope="module")
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=10) as client:
        yield client


def new(http: httpx.Client) -> tuple[str, str]:
    body = http.post("/conversations").json()
    return body["conversation"], body["token"]


def test_a_conversation_is_deleted_by_its_own_token_or_the_developer_only(http: httpx.Client) -> None:
    conversation, token = new(http)
    message = {"sender": conversation, "message": "hello"}
    own = {"Authorization": f"Bearer {token}"}
    http.post("/webhooks/rest/webhook", json=message, headers=own)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {new(http)[1]}"}):
        assert http.delete(f"/conversations/{conversation}", headers=headers).status_code == 401
    assert len(http.get(f"/conversations/{conversation}/messages", headers=own).json()["messages"]) == 1
    assert http.delete(f"/conversations/{conversation}", headers=own).json() == {"status": "ok"}
    assert http.get(f"/conversations/{conversation}/messages", headers=own).json()["messages"] == []
    assert http.delete(f"/conversations/{conversation}", headers=own).status_code == 404
    http.post("/webhooks/rest/webhook", json={"sender": "anna", "message": "hello"})
    assert http.delete("/conversations/anna").status_code == 401
    assert http.delete("/conversations/anna", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def open_socket(server: ServerProcess, conversation: str, token: str, **more: Any) -> ClientConnection:
    url = f"ws://127.0.0.1:{server.port}/ws?conversation={conversation}"
    return connect(url, subprotocols=["rejoinder", token], **more)  # type: ignore[list-item]


def exchange(socket: ClientConnection, frame: Any) -> list[dict[str, Any]]:
    """Send one frame; the answers up to the one that ends it."""
    socket.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))
    answers = [json.loads(socket.recv(5))]
    while answers[-1]["type"] == "typing":
        answers.append(json.loads(socket.recv(5)))
    return answers


def test_a_widget_talks_over_its_socket(server: ServerProcess, http: httpx.Client) -> None:
    conversation, token = new(http)
    with open_socket(server, conversation, token) as socket:
        assert socket.subprotocol == "rejoinder"
        assert json.loads(socket.recv(5)) == {"type": "ready", "conversation": conversation}
        typing, reply = exchange(socket, {"type": "message", "text": "hello", "message_id": "m1"})
        assert typing == {"type": "typing"}
        assert reply == {"type": "reply", "message_id": "m1", "replies": [{"text": "turn 1: hello"}]}
        assert exchange(socket, {"type": "message", "text": "hello", "message_id": "m1"})[-1] == reply
        click = {"type": "payload", "payload": '/inform{"food":"thai"}', "title": "Thai", "message_id": "m2"}
        assert exchange(socket, click)[-1]["replies"] == [{"text": 'turn 2: /inform{"food":"thai"}'}]
        assert exchange(socket, {"type": "ping"}) == [{"type": "pong"}]
        thumb = {"type": "feedback", "message_id": "m1", "value": 1}
        socket.send(json.dumps(thumb))
        assert exchange(socket, {"type": "ping"}) == [{"type": "pong"}]
    history = http.get(f"/conversations/{conversation}/messages", headers={"Authorization": f"Bearer {token}"})
    assert [m["feedback"] for m in history.json()["messages"]] == [1, 0]


BAD_FRAMES: list[Any] = [
    "", "not json", "[]", "null", b"\xff\xfe", "{}", {"type": "shout"}, {"type": "message"},
    {"type": "message", "text": ""}, {"type": "message", "text": "   "}, {"type": "message", "text": 5},
    {"type": "message", "text": "x" * 1001}, {"type": "message", "text": "\ud800"}, {"type": "message", "text": "a\0"},
    {"type": "message", "text": "hi", "message_id": 7}, {"type": "message", "text": "hi", "message_id": ""},
    {"type": "payload", "text": "hi"}, {"type": "feedback", "message_id": "m1", "value": 7},
    {"type": "feedback", "message_id": "unknown", "value": 1}, '{"type":"ping","type":"ping"}', "[" * 20_000,
    '{"type":"message","text":"hi","n":' + "9" * 5000 + "}",
]  # fmt: skip


def test_bad_frames_are_answered_and_the_socket_lives(server: ServerProcess, http: httpx.Client) -> None:
    conversation, token = new(http)
    with open_socket(server, conversation, token) as socket:
        socket.recv(5)
        for frame in BAD_FRAMES:
            (answer,) = exchange(socket, frame)
            assert answer["type"] == "error", frame
            assert answer["reason"]
            assert answer["message"]
        assert exchange(socket, {"type": "ping"}) == [{"type": "pong"}]
        (conflict,) = exchange(socket, {"type": "message", "text": "x" * 2000, "message_id": "m7"})
        assert conflict["message_id"] == "m7"
        (_, failed) = exchange(socket, {"type": "message", "text": "/fail", "message_id": "m8"})
        assert (failed["type"], failed["retry_after"], failed["message_id"]) == ("error", 1, "m8")
        with pytest.raises(ConnectionClosed):
            exchange(socket, {"type": "message", "text": "x" * 70_000})


def forged(server: ServerProcess, http: httpx.Client) -> Iterator[tuple[str, str]]:
    mine, token = new(http)
    other, _ = new(http)
    version, issued, signature = token.split(".")
    yield other, token
    yield mine, "none"
    yield mine, f"v2.{issued}.{signature}"
    yield mine, f"{version}.{int(issued) + 1}.{signature}"
    yield mine, f"{version}.{issued}.{signature[:-1]}"
    yield mine, f"{version}.{issued}.{signature[::-1]}"
    yield mine, f"{version}.{issued}."
    yield mine, f"{version}..{signature}"
    yield mine, ConversationTokens(SECRET, 1e9).issue(mine)
    yield mine + "0", token
    yield new_conversation_id(), token


def test_no_forged_token_opens_anything_and_all_refusals_look_alike(server: ServerProcess, http: httpx.Client) -> None:
    bodies = set()
    for conversation, token in forged(server, http):
        headers = {"Authorization": f"Bearer {token}"}
        answers = [
            http.get(f"/conversations/{conversation}/messages", headers=headers),
            http.get(f"/conversations/{conversation}/tracker", headers=headers),
            http.post("/webhooks/rest/webhook", json={"sender": conversation, "message": "hi"}, headers=headers),
            http.post(
                "/feedback", json={"conversation_id": conversation, "message_id": "m", "value": 1}, headers=headers
            ),
        ]
        bodies |= {(answer.status_code, answer.content) for answer in answers}
        with pytest.raises(InvalidStatus) as refused, open_socket(server, conversation, token):
            pass
        bodies.add((refused.value.response.status_code, bytes(refused.value.response.body or b"")))
    assert len(bodies) == 1
    assert next(iter(bodies))[0] == 401


def test_the_widgets_conversation_opens_with_its_token_over_rest_too(http: httpx.Client) -> None:
    conversation, token = new(http)
    body = {"sender": conversation, "message": "hi"}
    headers = {"Authorization": f"Bearer {token}"}
    assert http.post("/webhooks/rest/webhook", json=body).status_code == 401
    assert http.post("/webhooks/rest/webhook", json=body, headers=headers).status_code == 200
    assert http.get(f"/conversations/{conversation}/tracker", headers=headers).status_code == 200


def test_the_inspector_needs_its_token_when_one_is_set(http: httpx.Client) -> None:
    http.post("/webhooks/rest/webhook", json={"sender": "free", "message": "hi"})
    for path in (
        "/inspect/api/conversations",
        "/inspect/api/search?q=hi",
        "/inspect/api/conversations/free",
        "/conversations/free/tracker",
        "/conversations/free/messages",
    ):
        assert http.get(path).status_code == 401
        assert http.get(path, headers={"Authorization": "Bearer wrong-token-wrong-token"}).status_code == 401
        assert http.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert http.get("/inspect").status_code == 200


def test_without_a_token_the_inspector_opens_on_loopback_only(tmp_path: Path) -> None:
    path = "/inspect/api/conversations"
    with ServerProcess(tmp_path / "a.sqlite3") as local:
        url = f"http://127.0.0.1:{local.port}{path}"
        assert httpx.get(url).status_code == 200
        assert httpx.get(url, headers={"Host": f"localhost:{local.port}"}).status_code == 200
        assert httpx.get(url, headers={"Host": "[::1]"}).status_code == 200
        assert httpx.get(url, headers={"Host": f"rebound.example:{local.port}"}).status_code == 401
    with ServerProcess(tmp_path / "b.sqlite3", "--host", "0.0.0.0") as public:
        assert httpx.get(f"http://127.0.0.1:{public.port}{path}").status_code == 401


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("https://shop.example", True),
        ("{self}", True),
        ("https://evil.example", False),
        ("http://shop.example", False),
        ("https://shop.example.evil.example", False),
        ("null", False),
        ("file://", False),
    ],
)
def test_a_socket_opens_for_listed_origins_only(
    server: ServerProcess, http: httpx.Client, origin: str | None, allowed: bool
) -> None:
    conversation, token = new(http)
    given_origin = f"http://127.0.0.1:{server.port}" if origin == "{self}" else origin
    if allowed:
        with open_socket(server, conversation, token, origin=given_origin) as socket:
            assert json.loads(socket.recv(5))["type"] == "ready"
    else:
        with (
            pytest.raises(InvalidStatus) as refused,
            open_socket(server, conversation, token, origin=given_origin),
        ):
            pass
        assert refused.value.response.status_code == 403


@given(st.text(min_size=1, max_size=80), st.text(max_size=80))
def test_a_token_opens_its_own_conversation_and_no_other(conversation: str, other: str) -> None:
    tokens = ConversationTokens(SECRET, 60)
    token = tokens.issue(conversation)
    assert tokens.opens(conversation, token)
    assert tokens.opens(other, token) == (other == conversation)
    assert not tokens.opens(conversation, other)


def test_tokens_expire_and_do_not_come_from_the_future() -> None:
    now = 1_000_000.0
    clock = [now]
    tokens = ConversationTokens(SECRET, 100, lambda: clock[0])
    token = tokens.issue("a")
    for later, opens in ((0, True), (99, True), (101, False), (-50, True), (-200, False)):
        clock[0] = now + later
        assert tokens.opens("a", token) is opens, later


def test_secrets_are_made_once_and_short_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret"
    assert load_secret(path) == load_secret(path)
    path.write_text("short")
    with pytest.raises(SecretError, match="delete it"):
        load_secret(path)
    with pytest.raises(SecretError):
        ConversationTokens(b"short", 1)


def test_ids_have_128_random_bits() -> None:
    ids = {new_message_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(i) == 32 for i in ids)
    assert len(new_conversation_id()) == 34


def test_bearer_and_origin_are_strict() -> None:
    assert bearer("Bearer abc") == "abc"
    assert [bearer(h) for h in (None, "", "Bearer", "Bearer ", "Basic abc")] == [None] * 5
    assert origin_allowed("http://me:1", "me:1", ())
    assert not origin_allowed("http://me:1", "me:2", ())
    assert not origin_allowed("", "", ())
