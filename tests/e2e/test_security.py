"""No text of anybody becomes script: not what users say, what the bot says, buttons, payloads, or slot values."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chat_page import open_chat, ready
from tests.e2e.conftest import ROOT, Server, Watched
from tests.e2e.payloads import payloads

WIDGET = ROOT / "bot" / "widget"
BATCH = 60
LINKS = """() => {
  const found = [];
  const walk = (root) => {
    for (const node of root.querySelectorAll("*")) {
      for (const name of ["href", "src", "action", "formaction", "data", "xlink:href", "srcdoc"])
        if (node.hasAttribute(name)) found.push([node.localName, name, node.getAttribute(name)]);
      for (const { name } of node.attributes) if (name.startsWith("on")) found.push([node.localName, name, "handler"]);
      if (node.shadowRoot) walk(node.shadowRoot);
    }
  };
  walk(document.body);
  return found;
}"""

WALK = """async () => {
  const beliefs = [];
  const recalled = () => document.querySelectorAll("#turn .recalled .supporting, #turn .statements li").length;
  for (const turn of document.querySelectorAll(".turn")) {
    if (document.querySelector("#turn h2").firstChild.data !== `Turn ${turn.dataset.turn}`) throw new Error("lost");
    beliefs.push(document.querySelectorAll("#turn .belief").length && recalled());
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return beliefs;
}"""


def post(url: str, body: dict[str, str]) -> None:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/webhooks/rest/webhook", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10):
        pass


def say_all(page: Any, texts: list[str]) -> None:
    """Say every text through the page's own input path, one after the other."""
    page.evaluate(
        """async (texts) => {
          for (const text of texts) {
            const answered = new Promise((resolve) =>
              document.addEventListener("rejoinder:message", ({ detail }) => detail.who === "bot" && resolve()));
            await window.Rejoinder.send(text);
            await answered;
            await new Promise((resolve) => setTimeout(resolve, 0));
          }
        }""",
        texts,
    )


def assert_harmless_links(page: Any) -> None:
    allowed = re.compile(r"https://|mailto:|/|\#|http://127\.0\.0\.1:")
    for tag, attribute, value in page.evaluate(LINKS):
        assert value != "handler", f"<{tag} {attribute}>"
        assert allowed.match(value), f"<{tag} {attribute}={value!r}>"


def click_everything(page: Any) -> None:
    page.evaluate(
        """() => {
          const root = document.getElementById("rejoinder-chat").shadowRoot.querySelector("deep-chat").shadowRoot;
          for (const link of root.querySelectorAll("a")) {
            link.removeAttribute("target");
            link.addEventListener("click", (event) => event.preventDefault());
            link.click();
          }
        }"""
    )


def test_there_are_enough_payloads() -> None:
    assert len(payloads()) >= 300


def test_payloads_in_the_chat(server: Server, watched: Watched) -> None:
    """Each payload as user text, bot text, picture, button title and clicked payload; then all again as history."""
    page, texts = watched.page, payloads()
    for start in range(0, len(texts), BATCH):
        open_chat(page, server.url)
        page.get_by_role("button", name="Start over").click()
        page.locator(".user-message-text").first.wait_for(state="detached")
        ready(page)
        batch = texts[start : start + BATCH]
        say_all(page, batch)
        page.locator(".rj-quick").last.click()  # sends the last hostile payload under its hostile title
        page.locator(".rj-answer").nth(len(batch)).wait_for()
        click_everything(page)
        assert_harmless_links(page)
        watched.assert_clean()
        page.reload()
        ready(page)
        assert page.locator(".user-message-text").count() == len(batch) + 1
        assert_harmless_links(page)
        watched.assert_clean()


def test_payloads_in_the_inspector(server: Server, watched: Watched) -> None:
    """The same as transcript, slot values, acts, entities, memory, buttons, search hits and conversation names."""
    page = watched.page
    texts = [payload for payload in payloads() if "\0" not in payload and not re.search(r"[\x01-\x1f\u2028]", payload)]
    for start in range(0, len(texts), BATCH):
        name = texts[start][:190]
        for payload in texts[start : start + BATCH]:
            post(server.url, {"sender": name, "message": payload})
        page.goto("about:blank")
        page.goto(f"{server.url}/inspect#{urllib.parse.quote(name, safe='')}/1")
        page.locator(".turn").first.wait_for()
        beliefs = page.evaluate(WALK)
        assert len(beliefs) == len(texts[start : start + BATCH])
        assert all(beliefs), "slot value and statement must be on the page to be tested"
        assert_harmless_links(page)
        watched.assert_clean()
    page.locator("#search").fill("hit")
    page.locator("#conversations mark").first.wait_for()
    assert_harmless_links(page)
    watched.assert_clean()


UNSAFE = "box.innerHTML = bounded; return box;"


def test_one_inner_html_would_be_noticed(server: Server, watched: Watched) -> None:
    """The trap: with a single innerHTML in our renderer the same checks fail."""
    page = watched.page
    source = (WIDGET / "safe.js").read_text(encoding="utf-8")
    broken = source.replace("for (const part of bounded", f"{UNSAFE}\n  for (const part of bounded")
    assert broken != source
    page.route("**/widget/safe.js*", lambda route: route.fulfill(body=broken, content_type="text/javascript"))
    open_chat(page, server.url)
    say_all(page, ["<img src=x onerror=hit()>", "<img src=https://evil.invalid/x.png>"])
    page.wait_for_timeout(300)
    assert set(watched.external) == {"https://evil.invalid/x.png"}
    with pytest.raises(AssertionError):
        assert_harmless_links(page)
    assert watched.scripts_run() or watched.violations(), "the policy must report the blocked handler"


BANNED = re.compile(
    r"\.innerHTML|\.outerHTML\s*=[^=]|insertAdjacentHTML|document\.write|\beval\(|new Function|setHTMLUnsafe"
    r"|createContextualFragment|DOMParser|srcdoc|setTimeout\(\s*[\"'`]"
)


def test_our_sources_never_parse_html() -> None:
    for path in [*WIDGET.glob("*.js"), *WIDGET.glob("*.html")]:
        found = BANNED.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.name}: {found and found[0]}"


def test_pages_have_no_inline_script_and_load_nothing_from_elsewhere() -> None:
    for path in WIDGET.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), path.name
        assert not re.search(r"<[^>]*\son\w+=", text), path.name
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text), path.name


def test_policy_is_strict(server: Server) -> None:
    for path in ("/", "/inspect"):
        with urllib.request.urlopen(f"{server.url}{path}", timeout=5) as response:
            policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe-eval" not in policy
        assert not re.search(r"script-src[^;]*unsafe-inline", policy)


def test_links_of_the_bot_are_kept_when_harmless(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    text = "See [the menu](https://ok.invalid/menu), https://ok.invalid/a?b=c. or [write](mailto:a@ok.invalid)"
    say_all(page, [json.dumps([{"text": text}])])
    links = page.locator(".rj-answer a")
    assert [links.nth(i).get_attribute("href") for i in range(links.count())] == [
        "https://ok.invalid/menu",
        "https://ok.invalid/a?b=c",
        "mailto:a@ok.invalid",
    ]
    assert links.first.get_attribute("rel") == "noopener noreferrer nofollow"


def test_token_protects_the_inspector(tmp_path: Path, context: Any) -> None:
    server = Server(tmp_path / "events.sqlite3", ("--inspect-token", "correct horse battery"))
    server.start()
    try:
        post(server.url, {"sender": "anna", "message": "hello"})
        page = context.new_page()
        page.goto(f"{server.url}/inspect")
        page.locator("#token").fill("wrong")
        page.keyboard.press("Enter")
        page.get_by_text("That token does not open it.").wait_for()
        assert page.locator(".turn").count() == 0
        page.locator("#token").fill("correct horse battery")
        page.keyboard.press("Enter")
        page.locator(".turn").wait_for()
        page.reload()
        page.locator(".turn").wait_for()
    finally:
        server.stop()
