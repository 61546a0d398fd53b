"""Who may reach what over HTTP and WebSocket.

    conversation of the widget (server-issued id)   its token, or the developer
    conversation of Slack, over HTTP                the developer
    any other conversation id, writing              free, as in Rasa
    any other conversation id, reading              the developer
    inspector, tracker                              the developer

The developer is whoever shows the inspector's token; on a loopback address without a token set, whoever connects
to it by a loopback name (so that a foreign name pointed at 127.0.0.1 opens nothing).
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from bot.auth import WIDGET_PREFIX, ConversationTokens, bearer, origin_allowed, same
from bot.channels.slack_events import CONVERSATION_PREFIX
from bot.limits import ServerSettings, is_loopback
from bot.wire import Refusal

SUBPROTOCOL = "rejoinder"
"""The WebSocket subprotocol; a browser sends the conversation's token as a second one."""


@dataclass(frozen=True)
class Access:
    """Decides by the server's settings and the conversation tokens."""

    settings: ServerSettings
    tokens: ConversationTokens

    def developer(self, connection: HTTPConnection) -> None:
        """Let the developer in.

        Raises:
            Refusal: 401.
        """
        if not self._is_developer(connection):
            raise unauthorised()

    def write(self, connection: HTTPConnection, conversation_id: str) -> None:
        """Let somebody speak in a conversation.

        Raises:
            Refusal: 401.
        """
        if conversation_id.startswith((WIDGET_PREFIX, CONVERSATION_PREFIX)):
            self.read(connection, conversation_id)

    def read(self, connection: HTTPConnection, conversation_id: str) -> None:
        """Let somebody read a conversation.

        Raises:
            Refusal: 401; the same for a foreign, a forged and an unknown conversation.
        """
        token = bearer(connection.headers.get("authorization")) or self._subprotocol(connection)
        own = conversation_id.startswith(WIDGET_PREFIX) and self.tokens.opens(conversation_id, token)
        if not own:
            self.developer(connection)

    def origin(self, connection: HTTPConnection) -> None:
        """Let a WebSocket open from this server's own pages, the listed origins and programs that are no browser.

        Raises:
            Refusal: 403.
        """
        headers = connection.headers
        if not origin_allowed(headers.get("origin"), headers.get("host"), self.settings.allowed_origins):
            raise Refusal(403, "OriginNotAllowed", "this site is not listed under server.allowed_origins")

    def _is_developer(self, connection: HTTPConnection) -> bool:
        expected = self.settings.inspect_token
        if expected is not None:
            return same(bearer(connection.headers.get("authorization")) or "", expected)
        host = connection.headers.get("host", "").rpartition(":")
        name = host[0] if host[2].isdecimal() and host[0] else "".join(host)
        return self.settings.is_loopback and is_loopback(name)

    @staticmethod
    def _subprotocol(connection: HTTPConnection) -> str | None:
        offered = [part.strip() for part in connection.headers.get("sec-websocket-protocol", "").split(",")]
        return offered[1] if len(offered) == 2 and offered[0] == SUBPROTOCOL else None


def unauthorised() -> Refusal:
    """One answer for every missing, foreign, forged or expired token."""
    return Refusal(401, "NotAuthenticated", "send a valid token in the header Authorization: Bearer")
