"""Custom actions written with the real rasa_sdk: on its server, and in the process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.rasa.actions.choice import choose_actions
from bot.rasa.actions.endpoint import EndpointSettings
from bot.rasa.actions.local import LocalActions
from bot.rasa.actions.protocol import ActionFailed
from bot.rasa.actions.remote import RemoteActions
from bot.rasa.conversation import new_conversation
from bot.rasa.engine import RasaEngine
from bot.rasa.reading.loading import load_project
from memory.dialogue import UserMessage
from memory.events import BotUttered
from tests.bot.rasa.sdk_environment import ROOT, sdk_python
from tests.bot.rasa.sdk_outcomes import DOMAIN, PROJECT, outcomes, tracker
from tests.bot.rasa.talk import understand


def check(found: dict[str, Any]) -> None:
    done = {"response": "utter_done", "forms": 1}
    said = {"text": "ann said hi", "buttons": [{"title": "ok", "payload": "/affirm"}]}
    slot = {"event": "slot", "name": "size", "value": "large"}
    follow = {"event": "followup", "name": "action_listen"}
    assert found["echo"] == {"events": [slot, follow], "responses": [said, {"template": "utter_done", **done}]}
    assert found["echo again"] == found["echo"], "an action changed what the next one gets"
    assert "not now" in found["refuse"]["rejected"]
    assert found["break"]["failed"] in ("exception", "status")
    assert found["invalid_event"] == {"failed": "garbage", "reason": "event 1 of the answer (slot) has no `name`"}
    assert found["async"] == {"events": [{"event": "slot", "name": "people", "value": 2.0}], "responses": []}
    assert found["unknown"]["failed"] == "unknown_action"
    names = {event["name"]: event["value"] for event in found["valid"]["events"]}
    assert names == {"size": "large", "name": "Ann", "requested_slot": "people"}
    assert {"event": "slot", "name": "size", "value": None} in found["invalid"]["events"]
    assert found["invalid"]["responses"] == [{"text": "We only have small and large."}]


@pytest.fixture(scope="module")
def sdk_server() -> Iterator[str]:
    """The address of the real action server's webhook."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(sdk_python()), "-m", "rasa_sdk", "--actions", "actions", "-p", str(port)]
    environment = {**os.environ, "SANIC_HOST": "127.0.0.1", "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/webhook"
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, "the action server ended"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert json.load(answer) == {"status": "ok"}
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the action server does not answer")


@pytest.mark.parametrize("selective", [False, True], ids=["as rasa", "selective domain, deflated"])
def test_the_real_action_server(sdk_server: str, selective: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESS_ACTION_SERVER_REQUEST", str(selective).lower())

    async def all_of_them() -> dict[str, Any]:
        actions = RemoteActions(EndpointSettings(sdk_server, timeout_seconds=20.0, selective_domain=selective))
        try:
            return await outcomes(actions)  # its own actions can spoil its domain: not asked to
        finally:
            await actions.close()

    check(asyncio.run(all_of_them()))


def test_a_form_is_filled_through_the_real_action_server(sdk_server: str) -> None:
    engine = RasaEngine(load_project(PROJECT), understand, None, RemoteActions(EndpointSettings(sdk_server)))

    async def talk(*messages: str) -> list[list[str]]:
        state, said = new_conversation(engine.domain, "ann"), []
        for number, text in enumerate(messages):
            turn = await engine.respond(state, UserMessage("ann", text, f"m{number}", timestamp=1000.0 + number))
            state = turn.state
            said.append([r.text for e in turn.events if isinstance(e, BotUttered) for r in e.replies])
        await engine.actions.close()
        return said

    order = ("/order", '/order{"size": "huge"}', '/order{"size": "large"}', "7")
    assert asyncio.run(talk(*order, "/echo")) == [
        ["Which size?"],
        ["We only have small and large.", "Which size?"],
        ["For how many?"],
        ["Ann ordered large for 7."],
        ["ann said /echo", "1 form is known."],
    ]


def test_actions_in_this_process() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(sdk_python()), "-m", "tests.bot.rasa.run_local_actions", str(PROJECT)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    check(found["outcomes"])
    assert re.fullmatch(r"KeyError in simple.py:\d+: 'no such city'", found["outcomes"]["break"]["reason"])
    assert found["slow"] == {"failed": "timeout", "reason": "it took longer than 0.3 s"}
    assert found["async_slow"] == found["slow"]
    assert found["pause"] < 5, "a slow action held up the event loop"
    assert found["actions"] == sorted(
        ["action_async", "action_async_slow", "action_break", "action_echo", "action_invalid_event", "action_refuse",
         "action_slow", "action_spoil", "validate_order_form"]
    )  # fmt: skip
    assert "needs_a_package/actions.py:3: the actions can't be imported: ModuleNotFoundError" in found["broken"]
    assert found["seconds"] < 30, "a slow action kept the process"


def test_without_rasa_sdk_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*[name for name in sys.modules if name.split(".")[0] == "rasa_sdk"], "rasa_sdk"]:
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "actions.py").write_text("import rasa_sdk\n")
    actions = choose_actions(tmp_path, {})
    assert isinstance(actions, LocalActions)
    with pytest.raises(ActionFailed, match=r"pip install 'rejoinder\[rasa\]'") as failure:
        asyncio.run(actions.run("action_a", tracker(), DOMAIN, "ann"))
    assert failure.value.kind == "not_installed"
