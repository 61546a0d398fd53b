"""The way in for every channel: load limits first, then the conversation, errors as refusals."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from bot.conversations import (
    Conversations,
    EngineTurn,
    MessageConflict,
    Step,
    TurnFailed,
    UnknownConversation,
    UnknownMessage,
)
from bot.limits import InFlight, RateLimit, ServerSettings, TooBusy
from bot.wire import Refusal
from memory.dialogue import BotResponse, UserMessage
from memory.store import StoreUnavailable


class Turns:
    """Bounded access to the conversations of one server."""

    def __init__(self, conversations: Conversations, settings: ServerSettings) -> None:
        self.conversations = conversations
        self.in_flight = InFlight(settings.max_in_flight)
        self._rate = RateLimit(settings.messages_per_minute)
        conversations.metrics.watch("rejoinder_in_flight", "Turns being answered.", lambda: self.in_flight.count)

    async def answer(
        self, conversation_id: str, text: str, message_id: str | None, channel: str, metadata: dict[str, Any]
    ) -> list[BotResponse]:
        """Answer one message.

        Raises:
            Refusal: 409 the id was used for another text, 429/503 too much at once, 503 the turn failed.
        """
        message = UserMessage(conversation_id, text, message_id, channel, time.time(), metadata)
        try:
            self._rate.take(conversation_id)
            with self.in_flight.enter():
                return await self.conversations.handle(message)
        except TooBusy as error:
            raise self._busy(error) from None
        except MessageConflict as error:
            raise Refusal(409, "MessageConflict", f"{error}: use a new message_id for a new message") from None
        except TurnFailed as error:
            raise failed(error) from None

    async def advance(self, conversation_id: str, step: Step) -> EngineTurn:
        """Add what ``step`` makes happen in a conversation, within the same limits.

        Raises:
            Refusal: 503 too much at once.
            DuplicateMessage, TurnFailed: see ``Conversations.advance``.
        """
        try:
            with self.in_flight.enter():
                return await self.conversations.advance(conversation_id, step)
        except TooBusy as error:
            raise self._busy(error) from None

    def _busy(self, error: TooBusy) -> Refusal:
        self.conversations.metrics.error("TooBusy")
        return Refusal(error.status, "TooBusy", str(error), retry_after=error.retry_after)

    async def feedback(self, conversation_id: str, message_id: str, value: int, comment: str = "") -> None:
        """Keep a thumb.

        Raises:
            Refusal: 404 unknown message, 503 the store failed.
        """
        try:
            await self.conversations.feedback(conversation_id, message_id, value, comment)
        except UnknownMessage as error:
            raise Refusal(404, "UnknownMessage", str(error)) from None
        except (TurnFailed, StoreUnavailable) as error:
            raise failed(error) from None

    async def delete(self, conversation_id: str) -> None:
        """Erase a conversation.

        Raises:
            Refusal: 404 unknown conversation, 503 the store failed.
        """
        try:
            await self.conversations.delete(conversation_id)
        except UnknownConversation as error:
            raise unknown(error) from None
        except (TurnFailed, StoreUnavailable) as error:
            raise failed(error) from None


def failed(error: Exception) -> Refusal:
    """503: nothing was stored, the same message may come again."""
    message = f"{error}: nothing was stored, send it again"
    return Refusal(503, "TurnFailed", message, retry_after=TurnFailed.retry_after)


def unknown(error: UnknownConversation) -> Refusal:
    """404 for a conversation that has no events."""
    return Refusal(404, "UnknownConversation", f"{error}: nothing was said under this id")


def reply_json(reply: BotResponse) -> dict[str, Any]:
    """One reply of the WebSocket and the history: only the keys that are set; quick replies are buttons there."""
    body: dict[str, Any] = {}
    if reply.text:
        body["text"] = reply.text
    buttons = _buttons(reply)
    if buttons:
        body["buttons"] = buttons
    if reply.image is not None:
        body["image"] = reply.image
    if reply.custom is not None:
        body["custom"] = reply.custom
    return body


def rasa_messages(recipient_id: str, replies: Iterable[BotResponse]) -> list[dict[str, Any]]:
    """Replies as Rasa's REST channel says them.

    A text is split at blank lines, text with buttons is one message, ``custom``, ``image`` and ``attachment`` are
    messages of their own, and so is every one of the ``elements``.
    """
    messages: list[dict[str, Any]] = []
    for reply in replies:
        messages.extend({"recipient_id": recipient_id, **content} for content in _contents(reply))
    return messages


def _contents(reply: BotResponse) -> Iterator[dict[str, Any]]:
    buttons, parts = _buttons(reply), reply.parts or {}
    if buttons:
        yield {"text": reply.text, "buttons": buttons}
    else:
        yield from ({"text": part} for part in reply.text.strip().split("\n\n") if part.strip())
    if reply.custom is not None:
        yield {"custom": reply.custom}
    if reply.image is not None:
        yield {"image": reply.image}
    if parts.get("attachment") is not None:
        yield {"attachment": parts["attachment"]}
    for element in parts.get("elements") or ():
        text = f"{element.get('title', '')} : {element.get('subtitle', '')}"
        yield {"text": text, "buttons": element.get("buttons") or []}


def _buttons(reply: BotResponse) -> list[dict[str, Any]]:
    quick = (reply.parts or {}).get("quick_replies") or ()
    if quick:
        return [dict(button) for button in quick]
    return [{"title": button.title, "payload": button.payload} for button in reply.buttons]
