"""The widget on somebody else's page: another origin, allowed or not."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chat_page import ready, say, wait_for_answers
from tests.e2e.conftest import Server, Watched

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A shop</title>
<style>button {{ background: red !important; font-size: 99px }} div {{ color: lime }}</style>
<h1>A shop</h1><input id="own" aria-label="own">
<script type="module" src="{url}/widget.js" {options}></script></html>"""


class Shop:
    """A web site of its own on its own port, which embeds the widget."""

    def __init__(self) -> None:
        self.page = ""
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = shop.page.encode()
                self.send_response(200 if self.path == "/" else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def listed(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lists the shop, with a token, so that being local opens nothing."""
    database: Path = tmp_path_factory.mktemp("listed") / "events.sqlite3"
    server = Server(database, ("--origin", shop.url, "--inspect-token", "correct horse battery"))
    server.start()
    yield server
    server.stop()


def embedded(context: Any, shop: Shop, server: Server, options: str = "") -> Watched:
    shop.page = PAGE.format(url=server.url, options=options)
    watched = Watched(context.new_page(), (shop.url, server.url, server.url.replace("http", "ws")))
    watched.watch()
    watched.page.goto(shop.url)
    return watched


def test_launcher_opens_a_panel_that_answers(context: Any, shop: Shop, listed: Server) -> None:
    watched = embedded(context, shop, listed, 'data-title="Shop help" data-color="#00695c" data-greeting="Hi!"')
    page = watched.page
    launcher = page.get_by_role("button", name="Open chat: Shop help")
    assert launcher.get_attribute("aria-expanded") == "false"
    launcher.click()
    ready(page)
    assert page.get_by_role("dialog", name="Shop help").is_visible()
    page.get_by_text("Hi!", exact=True).wait_for()
    say(page, "hello shop")
    assert wait_for_answers(page, 1) == ["You said: hello shop"]
    style = "(node, property) => getComputedStyle(node)[property]"
    assert page.locator(".launcher").evaluate(style, "backgroundColor") == "rgb(0, 105, 92)"
    for inside in (".title", ".rj-answer p"):
        assert page.locator(inside).evaluate(style, "color") == "rgb(27, 29, 40)", "the page's styles reach in"
        assert page.locator(inside).evaluate(style, "fontSize") == "15px"
    watched.assert_clean()


def test_escape_closes_and_focus_returns(context: Any, shop: Shop, listed: Server) -> None:
    page = embedded(context, shop, listed).page
    page.locator(".launcher").focus()
    page.keyboard.press("Enter")
    ready(page)
    inner = "document.getElementById('rejoinder-widget').shadowRoot.activeElement"
    page.wait_for_function(f"{inner}?.shadowRoot?.activeElement?.id === 'text-input'")
    page.keyboard.insert_text("by keyboard alone")
    page.keyboard.press("Enter")
    assert wait_for_answers(page, 1) == ["You said: by keyboard alone"]
    page.keyboard.press("Escape")
    assert not page.locator(".panel").is_visible()
    focused = "document.getElementById('rejoinder-widget').shadowRoot.activeElement.className"
    assert page.evaluate(focused) == "launcher"
    page.keyboard.press("Enter")
    assert page.locator(".panel").is_visible()
    assert wait_for_answers(page, 1) == ["You said: by keyboard alone"]


def test_programming_interface_and_events(context: Any, shop: Shop, listed: Server) -> None:
    page = embedded(context, shop, listed, 'data-position="left"').page
    page.wait_for_function("window.Rejoinder")
    page.evaluate(
        "window.seen = []; for (const type of ['open', 'close', 'message', 'feedback', 'status'])"
        " document.addEventListener('rejoinder:' + type,"
        " ({detail}) => seen.push([type, detail.who ?? detail.state ?? detail.value ?? null]))"
    )
    page.evaluate("window.Rejoinder.send('from code')")
    assert wait_for_answers(page, 1) == ["You said: from code"]
    page.get_by_role("button", name="Not helpful").click()
    page.wait_for_function("seen.some(([type]) => type === 'feedback')")
    page.evaluate("window.Rejoinder.close()")
    seen = page.evaluate("seen")
    assert ["status", "online"] in seen
    assert [event for event in seen if event[0] != "status"] == [
        ["open", None], ["message", "user"], ["message", "bot"], ["feedback", -1], ["close", None],
    ]  # fmt: skip
    box = page.locator(".launcher").bounding_box()
    assert box["x"] == 24
    page.evaluate("window.Rejoinder.destroy()")
    assert page.locator("#rejoinder-widget").count() == 0
    assert page.evaluate("'Rejoinder' in window") is False


def test_full_screen_on_a_phone(context: Any, shop: Shop, listed: Server) -> None:
    page = embedded(context, shop, listed, "data-open").page
    page.set_viewport_size({"width": 390, "height": 844})
    ready(page)
    box = page.locator(".panel").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 390, "height": 844}
    page.get_by_role("button", name="Close chat").click()
    assert not page.locator(".panel").is_visible()


def test_unlisted_site_can_not_embed(context: Any, shop: Shop, server: Server) -> None:
    """Neither the script, nor the API, nor the WebSocket opens from a page that the server does not list."""
    watched = embedded(context, shop, server)
    page = watched.page
    page.wait_for_timeout(500)
    assert page.evaluate("'Rejoinder' in window") is False
    refused = f"fetch('{server.url}/conversations', {{method: 'POST'}}).then(() => 'read', () => 'refused')"
    assert page.evaluate(refused) == "refused"
    socket = server.url.replace("http", "ws")
    opened = f"""new Promise((resolve) => {{
      const socket = new WebSocket('{socket}/ws?conversation=any');
      socket.onopen = () => resolve('open');
      socket.onerror = () => resolve('refused');
    }})"""
    assert page.evaluate(opened) == "refused"
