"""Whatever a client sends, it is told what was wrong, quickly, and the server never fails."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.wire import Refusal, parse_object, take_text
from tests.promises.harness import Answer, Client, ServerProcess

WEBHOOK = "/webhooks/rest/webhook"
QUICK = 0.05


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("bad") / "log.sqlite3") as running:
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.stderr


class Sender:
    """A client whose connection outlives single examples."""

    def __init__(self, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = Client(port)

    def send(self, path: str, body: bytes, content_type: str = "application/json", **headers: str) -> Answer:
        request = self._client.request("POST", path, body, {"content-type": content_type, **headers})
        return self._loop.run_until_complete(request)

    def close(self) -> None:
        self._loop.run_until_complete(asyncio.sleep(0))
        self._client.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


@pytest.fixture(scope="module")
def sender(server: ServerProcess) -> Iterator[Sender]:
    opened = Sender(server.port)
    yield opened
    opened.close()


def message(**fields: Any) -> bytes:
    return json.dumps({"sender": "a", "message": "hi", **fields}).encode()


DEEP = b'{"sender":"a","message":"hi","metadata":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001
REFUSED: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "blank": (b"   ", 400),
    "no JSON": (b"hello", 400),
    "half an object": (b'{"sender":"a"', 400),
    "binary": (bytes(range(256)), 400),
    "utf-16": ('{"sender":"a","message":"hi"}'.encode("utf-16"), 400),
    "a list": (b"[]", 400),
    "a number": (b"1", 400),
    "null": (b"null", 400),
    "empty object": (b"{}", 400),
    "no message": (b'{"sender":"a"}', 400),
    "no sender": (b'{"message":"hi"}', 400),
    "null message": (message(message=None), 400),
    "number message": (message(message=5), 400),
    "list message": (message(message=["hi"]), 400),
    "empty message": (message(message=""), 400),
    "blank message": (message(message=" \t\n\u3000"), 400),
    "long message": (message(message="x" * 1001), 400),
    "emoji flood": (message(message="\U0001f600" * 1001), 400),
    "lone surrogate": (b'{"sender":"a","message":"\\ud800"}', 400),
    "NUL": (message(message="a\0b"), 400),
    "empty sender": (message(sender=""), 400),
    "long sender": (message(sender="s" * 201), 400),
    "sender with newline": (message(sender="a\nb"), 400),
    "sender with surrogate": (b'{"sender":"\\udfff","message":"hi"}', 400),
    "number sender": (message(sender=1), 400),
    "boolean sender": (message(sender=True), 400),
    "number message_id": (message(message_id=1), 400),
    "empty message_id": (message(message_id=""), 400),
    "list metadata": (message(metadata=[]), 400),
    "deep JSON": (DEEP, 400),
    "deep list": (b"[" * 50_000, 400),
    "huge number": (b'{"sender":"a","message":"hi","metadata":{"n":' + b"9" * 10_000 + b"}}", 400),
    "NaN": (b'{"sender":"a","message":"hi","metadata":{"n":NaN}}', 400),
    "duplicate keys": (b'{"sender":"a","sender":"b","message":"hi"}', 400),
    "100 kB": (message(message="x" * 100_000), 413),
    "a little over the cap": (message(message="x" * 65_536), 413),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_bodies_are_refused_with_a_reason(sender: Sender, name: str) -> None:
    body, status = REFUSED[name]
    seconds = []
    for _ in range(3):  # the machine may be busy once, a slow path is slow every time
        started = time.perf_counter()
        answer = sender.send(WEBHOOK, body)
        seconds.append(time.perf_counter() - started)
        assert answer.status == status
        refusal = answer.json
        assert refusal["status"] == "failure"
        assert refusal["code"] == status
        assert refusal["reason"]
        assert refusal["message"]
        if min(seconds) < QUICK:
            break
    assert min(seconds) < QUICK


def test_the_longest_allowed_message_is_answered(sender: Sender) -> None:
    answer = sender.send(WEBHOOK, message(message="\U0001f600" * 1000))
    assert answer.status == 200
    assert len(answer.text) == len("turn 1: ") + 1000


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data", "application/xml"])
def test_another_content_type_is_a_415(sender: Sender, content_type: str) -> None:
    answer = sender.send(WEBHOOK, message(), content_type)
    assert answer.status == 415
    assert "application/json" in answer.json["message"]


def test_what_curl_sends_is_taken_but_not_from_a_page_of_another_site(sender: Sender) -> None:
    kind = "application/x-www-form-urlencoded"
    assert sender.send(WEBHOOK, message(), kind).status == 200
    assert sender.send(WEBHOOK, message(), kind, origin="http://elsewhere.example").status == 415
    assert sender.send(WEBHOOK, b"sender=a&message=hi", kind).status == 400


def test_a_charset_is_no_other_content_type(sender: Sender) -> None:
    assert sender.send(WEBHOOK, message(), "Application/JSON; charset=utf-8").status == 200


def test_a_huge_body_is_cut_and_not_kept(server: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        head = (
            f"POST {WEBHOOK} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 67108864\r\n\r\n"
        )
        raw.sendall(head.encode())
        sent = 0
        try:
            while sent < 64 * 2**20:
                raw.sendall(b"x" * 65_536)
                sent += 65_536
        except OSError:
            pass
        assert sent < 16 * 2**20


def test_a_chunked_body_has_the_same_cap(server: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        head = f"POST {WEBHOOK} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        raw.sendall(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
        chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        raw.sendall(chunk * 6 + b"0\r\n\r\n")
        assert raw.recv(200).startswith(b"HTTP/1.1 413 ")


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
keys = st.sampled_from(["sender", "message", "message_id", "metadata", "text", "conversation_id", "value", "comment"])
texts = st.text(max_size=60) | st.text(st.characters(categories=["Cs", "Cc", "Cf", "So", "Mn"]), max_size=60)
objects = st.dictionaries(keys, texts | values, max_size=6)
bodies = st.binary(max_size=200) | objects.map(lambda content: json.dumps(content).encode())
near = st.builds(lambda text, more: json.dumps({"sender": "h", "message": text, **more}).encode(), texts, objects)
paths = st.sampled_from([WEBHOOK, "/model/parse", "/feedback"])


@given(path=paths, body=bodies | near)
@settings(max_examples=1_500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_generated_bodies_never_cause_a_5xx(sender: Sender, path: str, body: bytes) -> None:
    started = time.perf_counter()
    answer = sender.send(path, body)
    assert answer.status < 500, answer.body
    assert time.perf_counter() - started < 2
    json.loads(answer.body)


@given(
    path=st.text(st.characters(codec="latin-1", exclude_characters=" \r\n\0"), max_size=40),
    query=st.binary(max_size=20),
)
@example(path="#", query=b"")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_generated_addresses_never_cause_a_5xx(server: ServerProcess, path: str, query: bytes) -> None:
    target = (
        b"/conversations/" + path.encode("latin-1") + b"/tracker?until=" + query.replace(b" ", b"").replace(b"\n", b"")
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(
            b"GET "
            + target.replace(b"\r", b"").replace(b"\0", b"")
            + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        status = raw.recv(12)
    assert status.startswith(b"HTTP/1.1 4"), status


@pytest.mark.parametrize(
    "query", ["limit=x", "limit=-1", "limit=0", "limit=1e3", "limit=" + "9" * 5000, "before=x", "limit=501"]
)
def test_bad_numbers_in_the_query_are_refused(sender: Sender, query: str) -> None:
    answer = sender._loop.run_until_complete(sender._client.get(f"/inspect/api/conversations?{query}"))
    assert answer.status == 400
    assert answer.json["reason"] == "InvalidField"


@given(st.text(max_size=300) | st.text(alphabet='[]{}",:0123456789.eE+-\\u', max_size=300))
def test_strict_parsing_agrees_with_json_or_refuses(text: str) -> None:
    try:
        parsed = parse_object(text)
    except Refusal:
        return
    assert json.loads(text) == parsed


@given(st.text())
def test_accepted_text_is_returned_unchanged_and_fits(text: str) -> None:
    try:
        accepted = take_text({"message": text}, "message", 50)
    except Refusal:
        return
    assert accepted == text
    assert len(text) <= 50
    assert text.strip()
    text.encode("utf-8")
