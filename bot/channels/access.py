"""Who may reach what over HTTP and WebSocket.

    conversation of the widget (server-issued id)   its token, or the developer
    conversation of Slack, over HTTP                the developer
    any other conversation id, writing              free, as in Rasa
    any other conversation id, reading              the developer
    inspector, tracker                              the developer
    NLU of a text, domain, status                   anybody; with Rasa's token or JWT set, the developer
    a conversation whose id is a JWT's username     that JWT

The developer is whoever shows the inspector's token, Rasa's token (``?token=`` or as a bearer) or an admin's JWT; on a
loopback address with none of them set, whoever connects to it by a loopback name (so that a foreign name pointed at
127.0.0.1 opens nothing) and not from a page of another site, which may send what it can't read the answer to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from bot.api_auth import ApiAuth
from bot.auth import WIDGET_PREFIX, ConversationTokens, bearer, origin_allowed, same
from bot.channels.slack_events import CONVERSATION_PREFIX
from bot.limits import ServerSettings, is_loopback
from bot.wire import Refusal

SUBPROTOCOL = "rejoinder"
"""The WebSocket subprotocol; a browser sends the conversation's token as a second one."""


@dataclass(frozen=True)
class Access:
    """Decides by the server's settings, the conversation tokens and Rasa's protection of its API."""

    settings: ServerSettings
    tokens: ConversationTokens
    api: ApiAuth = field(default_factory=ApiAuth)

    def developer(self, connection: HTTPConnection) -> None:
        """Let the developer in.

        Raises:
            Refusal: 401; 403 for a genuine JWT that is not an admin's.
        """
        if not self._is_developer(connection):
            raise self._denied(connection)

    def ask(self, connection: HTTPConnection) -> None:
        """Let somebody ask what no conversation is needed for: everybody, unless the API is protected.

        Raises:
            Refusal: see ``developer``.
        """
        if self.api.is_on:
            self.developer(connection)

    def manage(self, connection: HTTPConnection, conversation_id: str) -> None:
        """Let somebody change what is stored of a conversation: the developer, and the JWT of the user it belongs to.

        Raises:
            Refusal: see ``developer``.
        """
        caller = self.api.caller(bearer(connection.headers.get("authorization")))
        if caller is None or not caller.may_reach(conversation_id):
            self.developer(connection)

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
            Refusal: 401; the same for a foreign, a forged and an unknown conversation. 403 for somebody else's JWT.
        """
        token = bearer(connection.headers.get("authorization")) or self._subprotocol(connection)
        if conversation_id.startswith(WIDGET_PREFIX) and self.tokens.opens(conversation_id, token):
            return
        caller = self.api.caller(token)
        if caller is None or not caller.may_reach(conversation_id):
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
        expected, token = self.settings.inspect_token, bearer(connection.headers.get("authorization"))
        if expected is not None and same(token or "", expected):
            return True
        if self.api.opens(connection.query_params.get("token")) or self.api.opens(token):
            return True
        caller = self.api.caller(token)
        if caller is not None and caller.may_reach(None):
            return True
        if expected is not None or self.api.is_on:
            return False
        host = connection.headers.get("host", "").rpartition(":")
        name = host[0] if host[2].isdecimal() and host[0] else "".join(host)
        headers, origins = connection.headers, self.settings.allowed_origins
        own_page = origin_allowed(headers.get("origin"), headers.get("host"), origins)
        return self.settings.is_loopback and is_loopback(name) and own_page

    def _denied(self, connection: HTTPConnection) -> Refusal:
        genuine = self.api.caller(bearer(connection.headers.get("authorization"))) is not None
        return forbidden() if genuine else unauthorised()

    @staticmethod
    def _subprotocol(connection: HTTPConnection) -> str | None:
        offered = [part.strip() for part in connection.headers.get("sec-websocket-protocol", "").split(",")]
        return offered[1] if len(offered) == 2 and offered[0] == SUBPROTOCOL else None


def unauthorised() -> Refusal:
    """One answer for every missing, foreign, forged or expired token."""
    return Refusal(401, "NotAuthenticated", "send a valid token in the header Authorization: Bearer")


def forbidden() -> Refusal:
    """A genuine JWT whose role doesn't reach this."""
    return Refusal(403, "NotAuthorized", "this user reaches only the conversation that has the user's name")
