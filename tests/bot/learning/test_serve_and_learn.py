"""Online learning as people run it: `rejoinder serve` and `rejoinder learn` as two processes on the same files."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.learning.versions import PolicyVersions

ROOT = Path(__file__).parents[3]
BOOKING = (
    '/inform{"food":"chinese","area":"north","pricerange":"cheap"}',
    '/request{"attribute":"phone"}',
    '/inform{"people":"4","day":"friday","time":"19:00","booking_name":"Anna Kowalska"}',
    "/affirm",
    "/bye",
)
LEARNING = {"min_dialogues": 3, "updates": 60, "gate_dialogues": 500, "margin": 0.5, "max_conversations": 300}


class Project:
    """A project folder with a copy of the trained policy, its server, and its command line."""

    def __init__(self, folder: Path, model_dir: Path) -> None:
        self.folder = folder
        models = folder / "models" / "restaurants"
        models.mkdir(parents=True)
        for part in model_dir.iterdir():
            if part.name != "policy":
                (models / part.name).symlink_to(part)
        self.policy = models / "policy"
        shutil.copytree(model_dir / "policy", self.policy)
        self.configure()

    def configure(self, **learning: Any) -> None:
        settings = {"assistant": str(ROOT / "assistants/restaurants"), "learning": {**LEARNING, **learning}}
        (self.folder / "config.yml").write_text(json.dumps(settings))

    def rejoinder(self, *arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "bot", *arguments, "--config", str(self.folder / "config.yml")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def json(self, *arguments: str) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.rejoinder(*arguments, "--json"))
        return report


class Server:
    """`rejoinder serve`."""

    def __init__(self, project: Project) -> None:
        command = [sys.executable, "-m", "bot", "serve", "--port", "0", "--config", str(project.folder / "config.yml")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", self.process.stdout.readline())
        assert found
        self.url = found[0]

    def talk(self, conversation: str, http: httpx.Client) -> None:
        """One dialogue; any turn that is not answered fails."""
        for text in BOOKING:
            body = {"sender": conversation, "message": text}
            response = http.post(f"{self.url}/webhooks/rest/webhook", json=body)
            assert response.status_code == 200, response.text
            assert response.json()

    def served(self) -> str:
        return str(httpx.get(f"{self.url}/health").json()["model"]).split()[-1]

    def serves(self, version: str, seconds: float = 10.0) -> bool:
        deadline = time.monotonic() + seconds
        while self.served() != version and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.served() == version


class Crowd:
    """Clients that talk without a pause until told to stop."""

    def __init__(self, server: Server, clients: int) -> None:
        self.turns, self.failures, self._stop = 0, list[str](), threading.Event()
        self._threads = [threading.Thread(target=self._talk, args=(server, n)) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def _talk(self, server: Server, client: int) -> None:
        with httpx.Client(timeout=20) as http:
            dialogue = 0
            while not self._stop.is_set():
                try:
                    server.talk(f"crowd-{client}-{dialogue}", http)
                except (AssertionError, httpx.HTTPError) as error:
                    self.failures.append(repr(error))
                dialogue += 1
                self._stop.wait(0.1)  # people think, and the other processes need the cores
                self.turns += len(BOOKING)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Project:
    return Project(tmp_path_factory.mktemp("learning"), model_dir)


@pytest.fixture(scope="module")
def server(project: Project) -> Iterator[Server]:
    server = Server(project)
    yield server
    server.process.kill()
    server.process.wait()


@pytest.fixture(scope="module")
def story(project: Project, server: Server) -> dict[str, Any]:
    """Too few dialogues; then a promotion while a crowd talks; then a rollback while it still does."""
    told: dict[str, Any] = {"first": server.served()}
    told["early"] = project.json("learn", "--once")
    with httpx.Client() as http:
        for n in range(3):
            server.talk(f"early-{n}", http)
    crowd = Crowd(server, 2)
    try:
        told["cycle"] = project.json("learn", "--once")
        told["swapped"] = server.serves(told["cycle"]["served"])
        before = crowd.turns
        while crowd.turns < before + 6 * len(BOOKING) and not crowd.failures:
            time.sleep(0.05)
        told["status"] = project.json("learn", "--status")
        told["rollback"] = project.json("learn", "--rollback")
        told["swapped back"] = server.serves(told["first"])
    finally:
        crowd.stop()
    told["turns"], told["failures"] = crowd.turns, crowd.failures
    told["decisions"] = project.json("log", "decisions")
    return told


def test_few_dialogues_are_waited_for(story: dict[str, Any]) -> None:
    assert story["early"]["result"] == "waiting"
    assert (story["early"]["dialogues"]["new"], story["early"]["needed"]) == (0, 3)
    assert story["early"]["served"] == story["first"]


def test_finished_dialogues_become_a_new_version(story: dict[str, Any]) -> None:
    cycle = story["cycle"]
    assert cycle["result"] == "promoted"
    assert cycle["before"] == story["first"] != cycle["served"]
    assert cycle["dialogues"]["new"] >= 3
    assert cycle["dialogues"]["steps"] >= 3 * cycle["dialogues"]["new"]
    assert cycle["gate"]["served"]["difference"]["low"] >= -LEARNING["margin"]


def test_the_server_swaps_and_swaps_back_while_people_talk(story: dict[str, Any]) -> None:
    assert story["swapped"]
    assert story["swapped back"]
    assert story["failures"] == []
    assert story["turns"] >= 12 * len(BOOKING)


def test_decisions_name_the_version_that_made_them(story: dict[str, Any]) -> None:
    by_version = {row["version"]: row["decisions"] for row in story["decisions"]["deciders"] if row["policy"] == "dqn"}
    assert set(by_version) == {story["first"], story["cycle"]["served"]}
    assert min(by_version.values()) >= 9


def test_the_status_tells_how_each_version_does_with_real_users(story: dict[str, Any]) -> None:
    status = story["status"]
    assert status["served"] == story["cycle"]["served"]
    assert status["history"] == [story["first"]] == [status["base"]]
    versions = {row["version"]: row for row in status["versions"]}
    assert versions[story["first"]]["booked"] == versions[story["cycle"]["served"]]["booked"] == 1.0
    assert [row["result"] for row in status["journal"]] == ["promoted"]


def test_a_rollback_is_one_command_and_there_is_an_end_to_it(story: dict[str, Any], project: Project) -> None:
    assert story["rollback"]["served"] == story["first"]
    assert "nothing to go back to" in project.rejoinder("learn", "--rollback", code=1)


def test_a_candidate_ruined_by_a_wrong_reward_is_refused(story: dict[str, Any], project: Project) -> None:
    """Bookings punished instead of rewarded, no caution: the candidate unlearns to book, and the gate sees it."""
    wrong = {"booking": -2000.0, "goodbye": -2000.0}
    project.configure(rewards=wrong, real_share=0.95, conservatism=0.0, updates=200, max_conversations=20)
    served = PolicyVersions(project.policy).pointer()
    try:
        cycle = project.json("learn", "--once")
        assert cycle["result"] == "refused"
        assert cycle["gate"]["served"]["difference"]["mean"] < -1
        assert cycle["served"] == served.version
        assert PolicyVersions(project.policy).pointer() == served
        assert {path.name for path in (project.policy / "versions").iterdir()} == {story["cycle"]["served"]}
    finally:
        project.configure()


def test_it_runs_until_ctrl_c(project: Project) -> None:
    command = [sys.executable, "-m", "bot", "learn", "--config", str(project.folder / "config.yml")]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # where it is ignored the child would ignore it
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    said = next(line for line in process.stdout if line.strip())
    assert "newly finished dialogues" in said or "served" in said
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "the served policy stays as it is" in out
    assert "Traceback" not in errors


def test_options_that_exclude_each_other(project: Project) -> None:
    assert "exclude each other" in project.rejoinder("learn", "--once", "--status", code=1)
