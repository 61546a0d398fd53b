"""The protocol of custom actions against a server that breaks: always a named failure, never anything else."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import shutil
import ssl
import subprocess
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.assistant_yaml import AssistantError, read_map
from bot.rasa.actions.answers import check_event, read_result
from bot.rasa.actions.choice import choose_actions, choose_response_server
from bot.rasa.actions.circuit import CircuitBreaker
from bot.rasa.actions.endpoint import EndpointSettings, read_endpoint
from bot.rasa.actions.protocol import ActionFailed, ActionRejected, ActionResult, NoActions, idempotency_key
from bot.rasa.actions.remote import RemoteActions
from bot.rasa.actions.response_server import ResponseServer, ResponseServerError
from bot.rasa.conversation import new_conversation
from bot.rasa.engine import RasaEngine
from bot.rasa.reading.files import plain
from bot.rasa.reading.loading import load_project
from memory.dialogue import UserMessage
from memory.events import BotUttered, TrackerEvent
from tests.bot.rasa.broken_server import ANSWERS, GOOD, BrokenServer, broken_server
from tests.bot.rasa.sdk_outcomes import PROJECT
from tests.bot.rasa.talk import understand

TRACKER: Mapping[str, Any] = {"sender_id": "ann", "slots": {}, "events": []}
GOOD_RESULT = ActionResult(tuple(GOOD["events"]), ())
DOMAIN: Mapping[str, Any] = {"intents": ["greet"], "actions": ["action_a", {"action_b": {"send_domain": True}}]}

KINDS = {
    "not http": "broken_off", "not json": "garbage", "not utf-8": "garbage", "a list": "garbage", "deep": "garbage",
    "not a number": "garbage", "surrogate": "garbage", "infinite": "garbage", "a long number": "garbage",
    "deep but readable": "garbage", "after the last day": "garbage",
    "buttons that are none": "garbage", "a message that is none": "garbage",
    "unknown event": "garbage", "event without name": "garbage",
    "text is a number": "garbage", "button is a text": "garbage", "many events": "too_large",
    "ten megabytes": "too_large", "bomb": "garbage", "dies in the answer": "broken_off",
    "dies before the answer": "broken_off", "redirect": "status", "can't read": "status",
    "unknown action": "unknown_action",
    "insatiable": "missing_domain", "its code raised": "status", "proxy": "status", "hangs": "timeout",
    "drips": "timeout",
}  # fmt: skip


def settings(server: BrokenServer, **more: Any) -> EndpointSettings:
    return EndpointSettings(url=server.url, **{"timeout_seconds": 20.0, **more})


def hasty(server: BrokenServer, way: str) -> EndpointSettings:
    """Waits long enough for any answer on a slow machine, and shortly for none."""
    return settings(server, timeout_seconds=0.2 if way in ("hangs", "drips") else 20.0)


async def ask(actions: RemoteActions, name: str = "action_a", key: str | None = None) -> ActionResult | str:
    """The result, or what kind of error came."""
    try:
        return await actions.run(name, TRACKER, DOMAIN, "ann", key)
    except ActionFailed as error:
        return error.kind
    except ActionRejected as error:
        return f"rejected: {error.reason}"


def test_every_broken_answer_is_a_named_failure() -> None:
    async def all_ways() -> dict[str, ActionResult | str]:
        found = {}
        async with broken_server() as server:
            for way in [*ANSWERS, "hangs", "drips"]:
                server.way = way
                actions = RemoteActions(hasty(server, way))
                found[way] = await ask(actions)
                server.way = "good"
                assert await ask(RemoteActions(settings(server))) == GOOD_RESULT, f"after {way}"
                await actions.close()
        return found

    expected = {**KINDS, "rejects": "rejected: not now", "good": GOOD_RESULT, "null": ActionResult()}
    assert asyncio.run(all_ways()) == expected


def test_a_request_says_what_rasa_says() -> None:
    async def requests() -> tuple[list[tuple[str, bytes]], int]:
        async with broken_server() as server:
            entry = {
                "url": server.url, "headers": {"X-Team": "pizza"}, "params": {"a": "b c"}, "token": "geheim",
                "basic_auth": {"username": "ann", "password": "pass"},
            }  # fmt: skip
            actions = RemoteActions(read_endpoint(entry, "action_endpoint", Path()))
            for step in range(3):
                await ask(actions, key=idempotency_key("ann", 7, step))
            await actions.close()
            return server.seen, server.connections

    seen, connections = asyncio.run(requests())
    assert connections == 1, "the connection is not kept"
    head, body = seen[0]
    call = json.loads(body)
    assert {k: call[k] for k in ("next_action", "sender_id", "tracker", "domain", "version")} == {
        "next_action": "action_a", "sender_id": "ann", "tracker": TRACKER, "domain": DOMAIN, "version": "3.6.21",
    }  # fmt: skip
    assert head.startswith("POST /webhook?a=b%20c&token=geheim HTTP/1.1") or head.startswith(
        "POST /webhook?a=b+c&token"
    )
    lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
    assert lines["x-team"] == "pizza"
    assert lines["content-type"] == "application/json"
    assert lines["authorization"] == "basic " + base64.b64encode(b"ann:pass").decode().lower()
    assert len({head.split("Idempotency-Key: ")[1].split("\r\n")[0] for head, _ in seen}) == 3


def test_selective_domain_sends_it_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESS_ACTION_SERVER_REQUEST", "true")

    async def requests() -> list[tuple[str, bytes]]:
        async with broken_server() as server:
            actions = RemoteActions(settings(server, selective_domain=True))
            await ask(actions)
            await ask(actions, "action_b")
            server.way = "insatiable"
            await ask(actions)
            await actions.close()
            return server.seen

    calls = [json.loads(zlib.decompress(body)) for _, body in asyncio.run(requests())]
    assert ["domain" in call for call in calls] == [False, True, False, True]
    assert len({call["domain_digest"] for call in calls}) == 1


def test_a_silent_server_is_left_alone_and_found_again() -> None:
    now = 100.0
    circuit = CircuitBreaker(failures=3, seconds=10, monotonic=lambda: now)

    async def story() -> list[ActionResult | str]:
        nonlocal now
        found = []
        async with broken_server("its code raised") as server:
            actions = RemoteActions(settings(server), circuit)
            for _ in range(5):
                await ask(actions)
            assert circuit.state == "closed", "an answer that says no is no silence"
            server.way = "dies before the answer"
            found += [await ask(actions) for _ in range(4)]
            asked = len(server.seen)
            now += 10.5
            found += [await ask(actions), await ask(actions)]
            assert len(server.seen) == asked + 1, "half open means one trial"
            now += 10.5
            server.way = "hangs"
            trial = asyncio.create_task(ask(actions))
            while len(server.seen) == asked + 1:
                await asyncio.sleep(0.005)
            found += [await ask(actions)]
            trial.cancel()
            await asyncio.gather(trial, return_exceptions=True)
            now += 10.5
            server.way = "good"
            found += [await ask(actions), await ask(actions)]
            await actions.close()
        return found

    died, closed, good = "broken_off", "circuit_open", GOOD_RESULT
    assert asyncio.run(story()) == [died, died, died, closed, died, closed, closed, good, good]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate, it is not installed")
def test_a_certificate_of_the_project_is_trusted_and_no_other(tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key.pem"
    command += " -out ours.pem -subj /CN=actions -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "ours.pem", tmp_path / "key.pem")

    async def with_and_without() -> list[ActionResult | str]:
        async with broken_server(tls=tls) as server:
            found = []
            for more in ({"cafile": "ours.pem"}, {}):
                entry = {"url": server.url, "timeout": 5, **more}
                actions = RemoteActions(read_endpoint(entry, "action_endpoint", tmp_path))
                found.append(await ask(actions))
                await actions.close()
            return found

    assert asyncio.run(with_and_without()) == [GOOD_RESULT, "unreachable"]


def test_no_secret_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    entry = {"url": "http://user:hunter2@127.0.0.1:1/webhook?key=hunter2", "token": "hunter2", "timeout": 0.5}
    endpoint = read_endpoint(entry, "action_endpoint", Path())
    with pytest.raises(ActionFailed) as failure:
        asyncio.run(RemoteActions(endpoint).run("action_a", TRACKER, DOMAIN, "ann"))
    assert failure.value.kind == "unreachable"
    assert "127.0.0.1:1/webhook" in str(failure.value)
    assert "hunter2" not in caplog.text + str(failure.value) + repr(endpoint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("action_endpoint: http://a", r"endpoints.yml:1: .*`action_endpoint` is 'http://a'"),
        ("action_endpoint:\n  url: localhost:5055", r"endpoints.yml:2: .*not an http"),
        ("action_endpoint:\n  token: x", r"endpoints.yml:1: .*has no `url`. Write `url: http"),
        ("action_endpoint:\n  url: http://a\n  heders: {a: b}", r"endpoints.yml:3: unknown key 'heders'.*'headers'"),
        ('action_endpoint:\n  url: http://a\n  headers: {a: "b\\nc"}', r"endpoints.yml:3: .*not an HTTP header"),
        ("action_endpoint:\n  url: http://a\n  cafile: no.pem", r"endpoints.yml:3: .*no.pem"),
        ("action_endpoint:\n  url: http://a\n  timeout: soon", r"endpoints.yml:3: `timeout` is 'soon'"),
        ("action_endpoint:\n  url: http://a\n  basic_auth: x", r"endpoints.yml:3: `basic_auth` names no username"),
        (
            "action_endpoint:\n  url: http://a\n  actions_module: actions",
            r"endpoints.yml:3: .*both `url` and `actions_module`",
        ),
        ("action_endpoint:\n  url: http://xn--/webhook", r"endpoints.yml:2: .*not an http"),
        ("action_endpoint:\n  url: http://a\n  cafile: endpoints.yml", r"endpoints.yml:3: .*holds no certificate"),
        ("nlg:\n  url: ftp://a", r"endpoints.yml:2: the `url` of `nlg` is not an http"),
    ],
)
def test_a_wrong_entry_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "endpoints.yml").write_text(text)
    endpoints = plain(read_map(tmp_path / "endpoints.yml", needed_for="actions"))
    with pytest.raises(AssistantError, match=message):
        (choose_actions if "action_endpoint" in endpoints else choose_response_server)(tmp_path, endpoints)


def test_endpoints_choose_who_answers(tmp_path: Path) -> None:
    url = {"url": "http://127.0.0.1:1/x"}
    assert isinstance(choose_actions(tmp_path, {"action_endpoint": url}), RemoteActions)
    assert isinstance(choose_response_server(tmp_path, {"nlg": url}), ResponseServer)
    for entry in ({}, {"nlg": {"type": "response"}}, {"nlg": {"type": "my.Generator"}}):
        assert choose_response_server(tmp_path, entry) is None, "the domain's own responses"


def test_without_an_endpoint_the_failure_says_what_to_do(tmp_path: Path) -> None:
    actions = choose_actions(tmp_path, {})
    assert isinstance(actions, NoActions)
    with pytest.raises(ActionFailed, match=r"`action_endpoint: \{url: ...\}`") as failure:
        asyncio.run(actions.run("action_a", TRACKER, DOMAIN, "ann"))
    assert failure.value.kind == "not_configured"


def test_the_user_gets_a_sentence_and_the_log_the_reason_whatever_the_server_does() -> None:
    async def turns() -> dict[str, tuple[list[str], list[str]]]:
        found = {}
        async with broken_server() as server:
            project = load_project(PROJECT)
            for way in KINDS:
                server.way = way
                engine = RasaEngine(project, understand, None, RemoteActions(hasty(server, way)))
                state = new_conversation(engine.domain, "ann")
                turn = await engine.respond(state, UserMessage("ann", "/echo", "m1", timestamp=1000.0))
                said = [r.text for e in turn.events if isinstance(e, BotUttered) for r in e.replies]
                log = [e.fields["kind"] for e in turn.events if isinstance(e, TrackerEvent) and "kind" in e.fields]
                assert turn.state.latest_action == "action_listen"
                found[way] = (said, log)
                await engine.actions.close()
        return found

    assert asyncio.run(turns()) == {way: (["That does not work now."], [kind]) for way, kind in KINDS.items()}


def test_responses_of_a_server() -> None:
    async def responses() -> tuple[dict[str, Any], list[str], bytes]:
        async with broken_server() as server:
            made = ResponseServer(settings(server))
            text = await made.generate("utter_greet", TRACKER, "rest", {"name": "Ann"}, "7")
            failures = []
            await made.close()
            for way in ("hangs", "a list", "not json", "proxy", "dies in the answer"):
                server.way = way
                made = ResponseServer(hasty(server, way))
                with pytest.raises(ResponseServerError) as failure:
                    await made.generate("utter_greet", TRACKER, "rest")
                failures.append(str(failure.value))
                await made.close()
            return text, failures, server.seen[0][1]

    text, failures, body = asyncio.run(responses())
    assert text == GOOD
    assert all(failure.startswith("utter_greet: ") for failure in failures)
    assert json.loads(body) == {
        "response": "utter_greet", "id": "7", "arguments": {"name": "Ann"}, "tracker": TRACKER,
        "channel": {"name": "rest"},
    }  # fmt: skip


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["event", "name", "value", "events", "responses", "text", "buttons", "timestamp", "x"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_answer_is_a_result_or_a_named_failure(value: Any) -> None:
    try:
        result = read_result("action_a", value)
    except ActionFailed:  # any other error is a defect
        return
    assert all(isinstance(event["event"], str) for event in result.events)
    assert all(isinstance(response.get("text"), str | None) for response in result.responses)


@pytest.mark.parametrize(
    "event",
    [
        {"event": "slot", "name": "size", "value": None, "timestamp": None},
        {"event": "action", "name": "action_listen", "policy": None, "confidence": None, "timestamp": 1.5},
        {"event": "action", "action_text": "Hello", "name": None},
        {"event": "active_loop", "name": None},
        {"event": "user", "text": "hi", "parse_data": {}, "input_channel": None},
        {"event": "bot", "text": None, "data": {"custom": {}}, "metadata": {}},
        {"event": "reminder", "intent": "later", "date_time": "2026-01-01T00:00:00", "kill_on_user_msg": True},
        {"event": "loop_interrupted", "is_interrupted": True},
    ],
)
def test_events_of_rasa_are_accepted(event: dict[str, Any]) -> None:
    assert check_event(event) is None


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ("slot", "is a text, not an object"),
        ({}, "has no `event`"),
        ({"event": "slot", "name": True, "value": 1}, "`name` is true or false"),
        ({"event": "slot", "name": "a"}, "has no `value`"),
        ({"event": "pause", "timestamp": True}, "`timestamp` is true or false"),
        ({"event": "pause", "timestamp": 1e99}, "`timestamp` must be a number of seconds"),
        ({"event": "pause", "metadata": []}, "`metadata` is a list"),
        ({"event": "action"}, "has neither `name` nor `action_text`"),
        ({"event": "followup", "name": None}, "`name` is null"),
    ],
)
def test_wrong_events_are_named(event: Any, problem: str) -> None:
    assert problem in str(check_event(event))


def test_keys_tell_steps_apart_and_give_nothing_away() -> None:
    keys = {idempotency_key(f"ann{n}", seq, step) for n in range(3) for seq in range(12) for step in range(12)}
    assert len(keys) == 3 * 12 * 12
    assert idempotency_key("ann", 1, 2) == idempotency_key("ann", 1, 2)
    assert not any("ann" in key for key in keys)
