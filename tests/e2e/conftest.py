"""A real browser and the real server, each in its own process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot import widget_build
from bot.npm_package import NpmPackageError
from tests.browser import find_browser

ROOT = Path(__file__).parents[2]
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
)  # fmt: skip
START_SECONDS = 30.0

WATCH = """
(() => {
  window.hits = [];
  window.violations = [];
  window.hit = () => window.hits.push("hit");
  for (const name of ["alert", "confirm", "prompt", "print"]) window[name] = () => window.hits.push(name);
  document.addEventListener("securitypolicyviolation", (event) =>
    window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
})();
"""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """The real server with the scripted engine, as a process that can be killed and started again."""

    database: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.e2e.serve", "--db", str(self.database), "--port", str(self.port)]
        self.process = subprocess.Popen([*command, *self.options], cwd=ROOT)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2):
                    return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        self.kill()
        pytest.fail("the test server did not start; its output is above")

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


@pytest.fixture(scope="session")
def vendored() -> None:
    """deep-chat is in place; fetched when it is missing."""
    try:
        widget_build.build()
    except NpmPackageError as error:
        pytest.skip(f"the chat component is missing and can't be fetched: {error}")


@pytest.fixture(scope="package")  # an open playwright keeps an event loop running, which other folders cannot have
def browser(vendored: None) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    path = find_browser()
    if path is None:
        pytest.skip("no browser: run `python -m tests.browser`, or name one in REJOINDER_BROWSER")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that don't break it."""
    server = Server(tmp_path_factory.mktemp("server") / "events.sqlite3")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def real(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of ``python -m bot serve`` with the trained restaurants assistant and an empty event log."""
    folder = tmp_path_factory.mktemp("real")
    config = folder / "config.yml"
    config.write_text(f"assistant: {ROOT / 'assistants' / 'restaurants'}\nmodels: {models}\ndata: {folder / 'data'}\n")
    port = free_port()
    command = [sys.executable, "-m", "bot", "serve", "--config", str(config), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until_healthy(process, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(15)


def wait_until_healthy(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("`python -m bot serve` did not become healthy; its output is above")


@dataclass
class Watched:
    """What a page did that it must never do."""

    page: Any
    origins: tuple[str, ...]
    popups: list[str] = field(default_factory=list)
    external: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.add_init_script(WATCH)
        self.page.on("dialog", self._popup)
        self.page.on("request", self._request)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _popup(self, popup: Any) -> None:
        self.popups.append(popup.message)
        popup.dismiss()

    def _request(self, request: Any) -> None:
        if not request.url.startswith(self.origins) and not request.url.startswith(("data:", "blob:")):
            self.external.append(request.url)

    def scripts_run(self) -> list[str]:
        return [*self.page.evaluate("window.hits"), *self.popups]

    def violations(self) -> list[str]:
        return list(self.page.evaluate("window.violations"))

    def assert_clean(self) -> None:
        assert self.scripts_run() == []
        assert self.external == []
        assert self.violations() == []
        assert self.errors == []


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def watched(context: Any, server: Server) -> Watched:
    watched = Watched(context.new_page(), (server.url, server.url.replace("http", "ws")))
    watched.watch()
    return watched
