"""Rasa's Socket.IO channel: the real client against the real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import jwt
import pytest
import socketio
import websockets

from bot.channels.slack_events import CONVERSATION_PREFIX
from bot.channels.socketio import (
    MOST_SESSIONS,
    MOST_WAITING,
    SocketIOChannel,
    SocketIOSettings,
    socketio_messages,
    socketio_settings,
)
from bot.limits import ServerSettings, SettingsError
from memory.dialogue import BotResponse, Button
from tests.promises.harness import ServerProcess

KEY = "a-key-for-socket-io-of-more-than-32-bytes"
WAIT = 10.0


class Widget:
    """A web widget made for Rasa."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self.client = client
        self.events: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        for name in ("session_confirm", "bot_uttered", "bot_error"):
            client.on(name, self._hearer(name))

    def _hearer(self, name: str) -> Callable[[Any], Coroutine[Any, Any, None]]:
        async def hear(data: Any) -> None:
            await self.events.put((name, data))

        return hear

    async def next(self, name: str) -> Any:
        told, data = await asyncio.wait_for(self.events.get(), WAIT)
        assert told == name, (told, data)
        return data

    async def session(self, session_id: str | None = None) -> str:
        await self.client.emit("session_request", {"session_id": session_id} if session_id else None)
        return str(await self.next("session_confirm"))

    async def say(self, **data: Any) -> Any:
        await self.client.emit("user_uttered", data)
        return await self.next("bot_uttered")


@asynccontextmanager
async def connected(port: int, transport: str = "websocket", **more: Any) -> AsyncIterator[Widget]:
    client = socketio.AsyncClient(reconnection=False)
    widget = Widget(client)
    await client.connect(f"http://127.0.0.1:{port}", transports=[transport], wait_timeout=WAIT, **more)
    try:
        yield widget
    finally:
        await client.eio.disconnect(abort=True)  # a polite goodbye waits for the poll that is under way


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    db = tmp_path_factory.mktemp("socketio") / "log.sqlite3"
    options = ("--socketio", json.dumps({"session_persistence": True}), "--max-in-flight", "4")
    with ServerProcess(db, *options, "--origin", "https://shop.example") as running:
        yield running


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_widget_talks_and_finds_its_session_again(server: ServerProcess, transport: str) -> None:
    async def steps() -> None:
        async with connected(server.port, transport) as widget:
            session = await widget.session()
            assert len(session) >= 32
            assert await widget.say(message="hello", session_id=session) == {"text": "turn 1: hello"}
            buttons = [{"title": "Yes", "payload": "/affirm"}]
            said = "/echo " + json.dumps(
                {"text": "one\n\ntwo", "buttons": buttons, "image": "https://example.org/a.png"}
            )
            assert await widget.say(message=said, session_id=session) == {"text": "one", "quick_replies": []}
            quick = [{"content_type": "text", **buttons[0]}]
            assert await widget.next("bot_uttered") == {"text": "two", "quick_replies": quick}
            picture = {"type": "image", "payload": {"src": "https://example.org/a.png"}}
            assert await widget.next("bot_uttered") == {"attachment": picture}
        async with connected(server.port, transport) as again, connected(server.port, transport) as other:
            assert await again.session(session) == session, "persistent"
            assert await other.session(session) == session, "and in two windows"
            assert await again.say(message="back", session_id=session) == {"text": "turn 3: back"}
            assert await other.next("bot_uttered") == {"text": "turn 3: back"}
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as http:
            tracker = http.get(f"/conversations/{session}/tracker").json()
        assert tracker["latest_input_channel"] == "socketio"

    asyncio.run(steps())


def test_metadata_reaches_the_engine_and_limits_hold(server: ServerProcess) -> None:
    async def steps() -> None:
        async with connected(server.port) as widget:
            await widget.session("limits")
            for wrong in (
                {},
                {"message": "x" * 1001},
                {"message": " "},
                {"message": 1},
                {"message": "a", "metadata": 1},
            ):
                await widget.client.emit("user_uttered", {"session_id": "limits", **wrong})
                told = await widget.next("bot_error")
                assert told["reason"] in ("InvalidField", "MessageTooLong", "EmptyMessage"), wrong
            for wrong_session in (None, "", 5, "w-" + "0" * 32, CONVERSATION_PREFIX + "T1-C1", "a\nb"):
                await widget.client.emit("user_uttered", {"message": "hi", "session_id": wrong_session})
                assert (await widget.next("bot_error"))["reason"] == "InvalidField"
            for k in range(12):  # each takes 0.2 s: four may be in flight
                data = {"message": "slow", "session_id": f"flight {k}", "metadata": {"sleep_ms": 200}}
                await widget.client.emit("user_uttered", data)
            heard = [await asyncio.wait_for(widget.events.get(), WAIT) for _ in range(12)]
            assert [name for name, _ in heard].count("bot_uttered") == 4
            assert {data["reason"] for name, data in heard if name == "bot_error"} == {"TooBusy"}
            assert await widget.say(message="and on", session_id="limits") == {"text": "turn 1: and on"}
        async with connected(server.port) as widget:
            await widget.client.emit("user_uttered", {"message": "x" * 100_000, "session_id": "big"})
            with pytest.raises(socketio.exceptions.TimeoutError):
                await widget.client.call("session_request", timeout=1)
            assert not widget.client.connected

    asyncio.run(steps())


def test_a_protected_conversation_cannot_be_taken_over(server: ServerProcess) -> None:
    async def steps() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as http:
            protected = http.post("/conversations").json()["conversation"]
        async with connected(server.port) as widget:
            assert await widget.session(protected) != protected

    asyncio.run(steps())


@pytest.mark.parametrize(("origin", "opens"), [("https://shop.example", True), ("https://evil.example", False)])
def test_only_listed_sites_connect(server: ServerProcess, origin: str, opens: bool) -> None:
    address = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
    answer = httpx.get(address, headers={"Origin": origin})
    assert (answer.status_code == 200) is opens
    assert (answer.headers.get("access-control-allow-origin") == origin) is opens


def test_a_key_lets_only_signed_widgets_in_and_other_names_are_obeyed(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = {"jwt_key": KEY, "socketio_path": "/chat.io", "bot_message_evt": "session_confirm"}
    db = tmp_path_factory.mktemp("signed") / "log.sqlite3"

    async def steps(port: int) -> None:
        for auth in (None, {}, {"token": None}, {"token": "x"}, {"token": jwt.encode({}, KEY[::-1], "HS256")}):
            with pytest.raises(socketio.exceptions.ConnectionError):
                async with connected(port, socketio_path="chat.io", auth=auth):
                    pass
        auth = {"token": jwt.encode({"sub": "page"}, KEY, "HS256")}
        async with connected(port, socketio_path="chat.io", auth=auth) as widget:
            await widget.client.emit("user_uttered", {"message": "hello"})
            assert await widget.next("session_confirm") == {"text": "turn 1: hello"}

    with ServerProcess(db, "--socketio", json.dumps(settings)) as server:
        asyncio.run(steps(server.port))
    assert KEY not in server.stderr


def test_every_kind_of_response_has_rasas_shape() -> None:
    elements = [{"title": "A", "subtitle": "b", "buttons": []}]
    reply = BotResponse("x", custom={"data": {"k": 1}}, parts={"elements": elements, "attachment": {"type": "video"}})
    generic = {"template_type": "generic", "elements": elements}
    assert list(socketio_messages(reply)) == [
        {"text": "x"},
        {"k": 1},
        {"attachment": {"type": "video"}},
        {"attachment": {"type": "template", "payload": generic}},
    ]
    only_buttons = BotResponse(buttons=(Button("Yes", "/affirm"),))
    (message,) = socketio_messages(only_buttons)
    assert message["text"] == ""
    assert message["quick_replies"][0]["payload"] == "/affirm"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"user_message_event": "x"}, "unknown key 'user_message_event'"),
        ({"session_persistence": "yes"}, "'session_persistence' must be true or false"),
        ({"socketio_path": "/"}, "must name a path"),
        ({"jwt_key": 5}, "'jwt_key' must be a text"),
    ],
)
def test_wrong_settings_name_the_key(given: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        socketio_settings(given)


def test_what_is_no_strict_json_is_refused_and_bad_packets_leave_no_trace(server: ServerProcess) -> None:
    bad = ('{"x":NaN}', '{"x":1e999}', '{"x":' + "[" * 300 + "]" * 300 + "}")

    async def steps(port: int) -> None:
        address = f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
        async with websockets.connect(address) as socket:
            for greeting in ("", "40"):
                await socket.send(greeting) if greeting else None
                await asyncio.wait_for(socket.recv(), WAIT)
            for metadata in bad:
                await socket.send(
                    '42["user_uttered",{"message":"hi","session_id":"strict","metadata":' + metadata + "}]"
                )
                assert '"InvalidJSON"' in str(await asyncio.wait_for(socket.recv(), WAIT)), metadata
            for packet in ("4g", '42["user_uttered",' + "[" * 5000, "42garbage"):
                await socket.send(packet)
            await socket.send('42["user_uttered",{"message":"hi","session_id":"strict"}]')
            assert "turn 1: hi" in str(await asyncio.wait_for(socket.recv(), WAIT))

    asyncio.run(steps(server.port))
    assert "Traceback" not in server.stderr


def test_who_asks_on_and_never_listens_is_cut_off(server: ServerProcess) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as http:
        deaf = "/socket.io/?EIO=4&transport=polling"
        deaf += "&sid=" + json.loads(http.get(deaf).text[1:])["sid"]
        http.post(deaf, content="40")
        asked = "\x1e".join(['42["session_request",{}]'] * 16)
        answers = [http.post(deaf, content=asked).status_code for _ in range(MOST_WAITING // 16 + 4)]
    assert answers[0] == 200
    assert answers[-1] == 400
    assert set(answers) == {200, 400}


def test_a_connection_listens_to_a_bounded_number_of_sessions() -> None:
    settings = SocketIOSettings(session_persistence=True)
    channel = SocketIOChannel(cast(Any, None), ServerSettings(), settings)
    server = channel._sio

    async def steps() -> None:
        sid = await server.manager.connect("connection", "/")
        for number in range(MOST_SESSIONS + 10):
            await channel._join(sid, f"session {number}")
        rooms = set(server.rooms(sid)) - {sid}
        assert rooms == {f"session {number}" for number in range(10, MOST_SESSIONS + 10)}
        await channel._forget(sid)
        assert not channel._sessions

    asyncio.run(steps())
