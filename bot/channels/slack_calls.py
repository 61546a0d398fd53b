"""Calls of Slack's Web API that obey its limits: ``Retry-After`` to the second, and a post a second in one channel."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.channels.slack_blocks import Call

log = logging.getLogger("rejoinder.slack")

FINAL_ERRORS = frozenset(
    (
        "as_user_not_supported", "cannot_reply_to_message", "cant_update_message", "channel_not_found",
        "edit_window_closed", "invalid_arguments", "invalid_blocks", "invalid_blocks_format", "is_archived",
        "message_not_found", "messages_tab_disabled", "msg_blocks_too_long", "msg_too_long", "no_text",
        "not_in_channel", "restricted_action", "restricted_action_non_threadable_channel",
        "restricted_action_read_only_channel", "restricted_action_thread_locked",
        "restricted_action_thread_only_channel", "too_many_attachments", "user_not_found",
    )
)  # fmt: skip
"""Slack's answers that the same call would get again: it is given up."""

_BLOCK_ERRORS = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long")
_CHANNELS = 10_000


class Later(Exception):
    """The call was not made, or failed in a way that may pass: ``seconds`` from now, or None for a guess."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class SlackCalls:
    """Makes calls one by one as the limits allow.

    Args:
        client: Slack's own client, without retry handlers of its own.
        per_second: calls a second in one channel, 0 for no limit beside Slack's 429.
        monotonic: seconds, for waiting.
    """

    def __init__(
        self, client: AsyncWebClient, per_second: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.client = client
        self._gap = 1 / per_second if per_second else 0.0
        self._monotonic = monotonic
        self._closed_until = 0.0
        self._free: OrderedDict[str, float] = OrderedDict()

    async def make(self, call: Call) -> None:
        """Make one call; a reply whose blocks Slack refuses is sent as plain text.

        Raises:
            Later: try the same call again.
        """
        self._wait_for_turn(call.channel)
        error = await self._try(call)
        if error in _BLOCK_ERRORS:
            log.warning("Slack refuses the blocks of a reply (%s): it is sent as text", error)
            plain = {key: value for key, value in call.arguments.items() if key != "blocks"}
            error = await self._try(Call(call.method, plain))
        if error is not None:
            log.error("Slack refuses %s for good (%s): this reply is given up", call.method, error)

    async def identity(self) -> dict[str, Any]:
        """``auth.test``: who this bot is. Raises Later."""
        response = await self._answer("auth.test", {})
        return dict(response)

    def _wait_for_turn(self, channel: str) -> None:
        now = self._monotonic()
        wait = max(self._closed_until, self._free.get(channel, 0.0)) - now
        if wait > 0:
            raise Later("Slack's rate limit", wait)
        if self._gap:
            self._free[channel] = now + self._gap
            self._free.move_to_end(channel)
            if len(self._free) > _CHANNELS:
                self._free.popitem(last=False)

    async def _try(self, call: Call) -> str | None:
        """None when Slack took it, its error when it never will."""
        try:
            await self._answer(call.method, call.arguments)
        except SlackApiError as error:
            return _error_name(error)
        return None

    async def _answer(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            response = await self.client.api_call(method, json=arguments)
        except SlackApiError as error:
            status, name = getattr(error.response, "status_code", 0), _error_name(error)
            if status == 429 or name == "ratelimited":
                # which of Slack's limits it was is not said: everybody waits
                seconds = _retry_after(error)
                self._closed_until = max(self._closed_until, self._monotonic() + seconds)
                raise Later("Slack's rate limit", seconds) from None
            if name in FINAL_ERRORS:
                raise
            raise Later(f"{method}: {name or status}") from None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise Later(f"{method}: {type(error).__name__}") from None
        return dict(response.data) if isinstance(response.data, dict) else {}


def _error_name(error: SlackApiError) -> str:
    data = getattr(error.response, "data", None)
    return str(data.get("error", ""))[:100] if isinstance(data, dict) else ""


def _retry_after(error: SlackApiError) -> float:
    headers = {name.lower(): value for name, value in dict(getattr(error.response, "headers", {})).items()}
    try:
        return max(0.0, float(headers.get("retry-after", 1)))
    except ValueError:
        return 1.0
