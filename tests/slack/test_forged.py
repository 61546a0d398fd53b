"""Whoever is not Slack gets one and the same 401, and nothing of what they sent is kept."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels.slack_signature import is_from_slack
from tests.promises.harness import Answer, Client
from tests.slack.fake_slack import SIGNING_SECRET, FakeSlack
from tests.slack.slack_requests import event, send, signature, signed
from tests.slack.slack_server import SlackServer, said

BODY = json.dumps(event("forged", event_id="EvForged")).encode()
NOW = int(time.time())
FORM = "application/x-www-form-urlencoded"
Headers = list[tuple[str, str]]


def headers(body: bytes = BODY, at: str | None = None, sign: str | None = None, **more: str) -> Headers:
    at = str(int(time.time())) if at is None else at
    sign = signature(body, at) if sign is None else sign
    found = [("content-type", "application/json"), ("x-slack-request-timestamp", at), ("x-slack-signature", sign)]
    return [*found, *more.items()]


def without(name: str) -> Headers:
    return [pair for pair in headers() if pair[0] != name]


def now(shift: int = 0) -> str:
    return str(int(time.time()) + shift)


def utf16() -> tuple[Headers, bytes]:
    body = BODY.decode().encode("utf-16")
    return headers(body), body


CASES: dict[str, Callable[[], tuple[Headers, bytes]]] = {
    "no headers": lambda: ([], BODY),
    "no signature": lambda: (without("x-slack-signature"), BODY),
    "no timestamp": lambda: (without("x-slack-request-timestamp"), BODY),
    "empty signature": lambda: (headers(sign=""), BODY),
    "empty timestamp": lambda: (headers(at=""), BODY),
    "another secret": lambda: (headers(sign=signature(BODY, now(), "0" * 32)), BODY),
    "empty secret": lambda: (headers(sign=signature(BODY, now(), "")), BODY),
    "version 1": lambda: (headers(sign=signature(BODY, now()).replace("v0=", "v1=")), BODY),
    "no version": lambda: (headers(sign=signature(BODY, now()).removeprefix("v0=")), BODY),
    "cut signature": lambda: (headers(sign=signature(BODY, now())[:-1]), BODY),
    "cut to the version": lambda: (headers(sign="v0="), BODY),
    "longer signature": lambda: (headers(sign=signature(BODY, now()) + "0"), BODY),
    "upper case signature": lambda: (headers(sign="v0=" + signature(BODY, now())[3:].upper()), BODY),
    "zeros": lambda: (headers(sign="v0=" + "0" * 64), BODY),
    "not hexadecimal": lambda: (headers(sign="v0=" + "g" * 64), BODY),
    "not ASCII": lambda: (headers(sign="v0=" + "é" * 64), BODY),
    "two signatures in one header": lambda: (headers(sign=signature(BODY, now()) + ", v0=" + "0" * 64), BODY),
    "a second signature": lambda: ([*headers(), ("x-slack-signature", "v0=" + "0" * 64)], BODY),
    "a second timestamp": lambda: ([*headers(), ("x-slack-request-timestamp", now())], BODY),
    "one byte changed": lambda: (headers(), BODY.replace(b"forged", b"forgeD")),
    "one byte more": lambda: (headers(), BODY + b" "),
    "one byte less": lambda: (headers(), BODY[:-1]),
    "empty body": lambda: (headers(), b""),
    "another body": lambda: (headers(), b'{"type": "url_verification", "challenge": "x"}'),
    "keys in another order": lambda: (headers(), json.dumps(json.loads(BODY), sort_keys=True).encode()),
    "replayed after 301 s": lambda: (headers(at=now(-301)), BODY),
    "replayed after a day": lambda: (headers(at=now(-86_400)), BODY),
    "replayed with a fresh timestamp": lambda: (headers(at=now(), sign=signature(BODY, now(-400))), BODY),
    "from the future": lambda: (headers(at=now(302)), BODY),
    "from 1970": lambda: (headers(at="0"), BODY),
    "negative timestamp": lambda: (headers(at="-" + now()), BODY),
    "timestamp with a sign": lambda: (headers(at="+" + now()), BODY),
    "timestamp with a fraction": lambda: (headers(at=now() + ".0"), BODY),
    "timestamp in milliseconds": lambda: (headers(at=now() + "000"), BODY),
    "timestamp in words": lambda: (headers(at="now"), BODY),
    "timestamp without end": lambda: (headers(at="9" * 4_000), BODY),
    "signed as UTF-16": utf16,
    "declared as UTF-16": lambda: (with_type(BODY, "application/json; charset=utf-16"), BODY),
    "declared as Latin-1": lambda: (with_type(BODY, 'application/json; charset="latin-1"'), BODY),
    "signed but not UTF-8": lambda: (headers(b'{"type": "\xff"}'), b'{"type": "\xff"}'),
    "ssl_check without a signature": lambda: (with_type(b"ssl_check=1", FORM, ""), b"ssl_check=1"),
    "challenge without a signature": lambda: ([], b'{"type": "url_verification", "challenge": "x"}'),
    "interaction without a signature": lambda: (with_type(b"payload=%7B%7D", FORM, ""), b"payload=%7B%7D"),
    "marked as a repetition": lambda: ([*headers(sign="v0=" + "1" * 64), ("x-slack-retry-num", "1")], BODY),
    "marked as lazy": lambda: ([("x-slack-bolt-lazy-only", "1"), ("x-slack-bolt-lazy-function-name", "keep")], BODY),
    "with the bot token": lambda: ([("authorization", "Bearer xoxb-1111-2222-botsecret")], BODY),
}  # fmt: skip


def with_type(body: bytes, kind: str, sign: str | None = None) -> Headers:
    return [("content-type", kind), *headers(body, sign=sign)[1:]]


def test_every_forged_request_gets_the_same_401_and_a_genuine_one_is_heard(tmp_path: Path) -> None:
    assert len(CASES) >= 40
    db = tmp_path / "log.sqlite3"
    with FakeSlack() as fake, SlackServer(db, fake.url) as server:

        async def run() -> tuple[dict[str, Answer], list[int]]:
            answers = {}
            for name, case in CASES.items():
                given, body = case()
                answers[name] = await post(server.port, given, body)
            client = Client(server.port)
            genuine = [await send(client, event("genuine")), await client.get("/slack/events")]
            too_long = await client.request("POST", "/slack/events", b"x" * 1_000_001, signed(b""))
            client.close()
            return answers, [answer.status for answer in (*genuine, too_long)]

        answers, statuses = asyncio.run(run())
        assert {name: answer.status for name, answer in answers.items() if answer.status != 401} == {}
        shown = {(answer.body, tuple(sorted(answer.headers.items() - dates(answer)))) for answer in answers.values()}
        assert len(shown) == 1
        assert statuses == [200, 405, 413]
        fake.wait(1)
        server.stop()
        assert SIGNING_SECRET not in server.output
        assert "forged" not in server.output
    assert said(db) == {"slack:T1:D1:U1": ["genuine"]}


def dates(answer: Answer) -> set[tuple[str, str]]:
    return {pair for pair in answer.headers.items() if pair[0] == "date"}


async def post(port: int, given: Headers, body: bytes) -> Answer:
    """On a connection of its own, with headers as they are, repeated ones too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "POST /slack/events HTTP/1.1\r\nhost: localhost\r\n" + "".join(f"{n}: {v}\r\n" for n, v in given)
    writer.write(head.encode("utf-8") + f"content-length: {len(body)}\r\n\r\n".encode() + body)
    try:
        return await Client._read(reader)
    finally:
        writer.close()


RAW = [(b"x-slack-request-timestamp", str(NOW).encode()), (b"x-slack-signature", signature(BODY, str(NOW)).encode())]


@pytest.mark.parametrize(("seconds", "fresh"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_the_window_is_five_minutes_to_both_sides(seconds: int, fresh: bool) -> None:
    assert is_from_slack(SIGNING_SECRET, RAW, BODY, NOW + seconds) is fresh


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(place: int, change: int) -> None:
    changed = bytearray(BODY)
    changed[place] ^= change
    assert not is_from_slack(SIGNING_SECRET, RAW, bytes(changed), NOW)
