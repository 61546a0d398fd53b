"""Replies as Slack shows them: mrkdwn sections, quick replies as buttons, thumbs as feedback buttons (Block Kit).

Limits of https://docs.slack.dev/reference/block-kit: 3,000 characters a section, 75 a button's title, 2,000 its value,
25 buttons a row, 50 blocks a message. ``custom`` of a reply has no form in Slack and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memory.dialogue import BotResponse, Button

THUMB = "thumb"
"""``action_id`` of the feedback buttons; their values are ``up MESSAGE_ID`` and ``down MESSAGE_ID``."""

_QUICK_REPLY = "reply_"
_SECTION, _TITLE, _VALUE, _ROW, _BLOCKS = 3_000, 75, 2_000, 25, 45
Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of Slack's Web API, e.g. ``chat.postMessage``."""

    method: str
    arguments: dict[str, Any]

    @property
    def channel(self) -> str:
        """Whose limit it counts against."""
        return str(self.arguments["channel"])


def escape(text: str) -> str:
    """Text that Slack shows as it stands: ``<!channel>`` of a user notifies nobody.

    (https://docs.slack.dev/messaging/formatting-message-text, "Escaping text".)
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def posts(
    replies: Sequence[BotResponse], channel: str, thread: str | None, message_id: str, *, thumbs: bool = True
) -> list[Call]:
    """The messages that say ``replies``, the thumbs for ``message_id`` under the last one."""
    messages = [message for reply in replies for message in _messages(reply)]
    if thumbs and messages:
        messages[-1][1].append(_feedback(message_id))
    calls = []
    for text, blocks in messages:
        arguments: dict[str, Any] = {"channel": channel, "text": text, "blocks": blocks, "parse": "none"}
        arguments |= {"link_names": False, "unfurl_links": False, "unfurl_media": False}
        if thread is not None:
            arguments["thread_ts"] = thread
        calls.append(Call("chat.postMessage", arguments))
    return calls


def _messages(reply: BotResponse) -> Iterator[tuple[str, list[Block]]]:
    """(text for notifications, blocks) of one reply; a very long one takes several messages."""
    blocks: list[Block] = [{"type": "section", "text": _mrkdwn(part)} for part in _parts(reply.text.strip())]
    if reply.image is not None and reply.image.startswith(("https://", "http://")) and len(reply.image) <= 3_000:
        blocks.append({"type": "image", "image_url": reply.image, "alt_text": "image"})
    buttons = [(i, button) for i, button in enumerate(reply.buttons) if 0 < len(button.payload) <= _VALUE]
    for start in range(0, len(buttons), _ROW):
        row = [_quick_reply(i, button) for i, button in buttons[start : start + _ROW]]
        blocks.append({"type": "actions", "block_id": f"replies_{start}", "elements": row})
    for start in range(0, len(blocks), _BLOCKS):
        part = blocks[start : start + _BLOCKS]
        shown = [block["text"]["text"] for block in part if block["type"] == "section"]
        yield (shown[0] if shown else " · ".join(escape(button.title) for _, button in buttons) or "image"), part


def _mrkdwn(escaped: str) -> dict[str, Any]:
    # verbatim: Slack makes no mentions of "@channel" and no links of "#names" on its own
    return {"type": "mrkdwn", "text": escaped, "verbatim": True}


def _parts(text: str) -> Iterator[str]:
    """Escaped pieces of at most 3,000 characters, cut at blanks where there are any; no escape is cut in two."""
    while text:
        size = min(len(text), _SECTION)
        while len(escape(text[:size])) > _SECTION:
            size -= max(1, (len(escape(text[:size])) - _SECTION) // 5)
        if size < len(text):
            blank = max(text.rfind("\n", 0, size), text.rfind(" ", 0, size))
            size = blank if blank > size // 2 else size
        yield escape(text[:size])
        text = text[size:].lstrip()


def _quick_reply(number: int, button: Button) -> Block:
    title = button.title.strip() or button.payload
    title = title if len(title) <= _TITLE else title[: _TITLE - 1] + "…"
    label = {"type": "plain_text", "text": title, "emoji": False}
    return {"type": "button", "action_id": f"{_QUICK_REPLY}{number}", "text": label, "value": button.payload}


def _feedback(message_id: str) -> Block:
    def button(title: str, sign: str) -> dict[str, Any]:
        return {"text": {"type": "plain_text", "text": title}, "value": f"{sign} {message_id}"}

    element = {
        "type": "feedback_buttons",
        "action_id": THUMB,
        "positive_button": button("Good answer", "up"),
        "negative_button": button("Bad answer", "down"),
    }
    return {"type": "context_actions", "elements": [element]}


def is_quick_reply(action: Mapping[str, Any]) -> bool:
    """Whether an action of an interaction payload is a click on one of our buttons."""
    return action["type"] == "button" and str(action["action_id"]).startswith(_QUICK_REPLY)


def chosen_blocks(message: Mapping[str, Any], action: Mapping[str, Any]) -> dict[str, Any]:
    """``text`` and ``blocks`` of a message whose button was clicked: what was chosen stands where the buttons were."""
    title = str(action.get("text", {}).get("text") or action["value"])
    chosen = {"type": "context", "elements": [{"type": "plain_text", "text": f"✓ {title[:200]}", "emoji": False}]}
    kept = [block for block in message.get("blocks", []) if block.get("type") != "actions"]
    return {"text": message.get("text") or "answered", "blocks": [*kept, chosen]}
