"""Who may do what: conversation tokens for the widget, the developer's token, origins."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

WIDGET_PREFIX = "w-"
"""Conversations whose id the server issued start with this; they open only with their token."""

SECRET_BYTES = 32


class SecretError(ValueError):
    """The secret file can't be used; the message names it and the remedy."""


def new_conversation_id() -> str:
    """128 random bits behind the widget's prefix."""
    return WIDGET_PREFIX + secrets.token_hex(16)


def new_message_id() -> str:
    """128 random bits as 32 hexadecimal digits (a uuid4 has only 122)."""
    return secrets.token_hex(16)


def load_secret(path: Path) -> bytes:
    """The signing secret in ``path``; made on first use, readable by its owner only.

    Raises:
        SecretError: the file is too short or can't be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_secret(path)
    except OSError as error:
        raise SecretError(f"{path}: cannot write the signing secret: {error}") from None
    with os.fdopen(descriptor, "wb") as file:
        secret = secrets.token_hex(SECRET_BYTES).encode()
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    return secret


def _read_secret(path: Path) -> bytes:
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise SecretError(f"{path}: cannot read the signing secret: {error}") from None
    if len(secret) < SECRET_BYTES:
        raise SecretError(
            f"{path}: the signing secret is shorter than {SECRET_BYTES} bytes: delete it to make a new one"
        )
    return secret


class ConversationTokens:
    """Signs conversation ids: ``v1.<issued>.<HMAC-SHA256>``, in characters that a WebSocket subprotocol may hold.

    Args:
        secret: at least 32 bytes.
        valid_seconds: how long a token opens its conversation.
        clock: seconds since the epoch.
    """

    def __init__(self, secret: bytes, valid_seconds: float, clock: Callable[[], float] = time.time) -> None:
        if len(secret) < SECRET_BYTES:
            raise SecretError(f"the signing secret has {len(secret)} bytes: it needs {SECRET_BYTES}")
        self._secret = secret
        self._valid = valid_seconds
        self._clock = clock

    def issue(self, conversation_id: str) -> str:
        """The token of one conversation."""
        issued = str(int(self._clock()))
        return f"v1.{issued}.{self._sign(conversation_id, issued)}"

    def opens(self, conversation_id: str, token: str | None) -> bool:
        """Whether ``token`` was issued here for this conversation and has not expired."""
        version, _, rest = (token or "").partition(".")
        issued, _, signature = rest.partition(".")
        genuine = same(signature, self._sign(conversation_id, issued))
        if not genuine or version != "v1":
            return False
        return 0 <= self._clock() + 60 - int(issued) <= self._valid + 60

    def _sign(self, conversation_id: str, issued: str) -> str:
        message = f"rejoinder conversation v1\n{issued}\n{conversation_id}".encode("utf-8", "surrogatepass")
        digest = hmac.new(self._secret, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def same(given: str, expected: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass"))


def bearer(authorization: str | None) -> str | None:
    """The token of an ``Authorization: Bearer`` header, or None."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def origin_allowed(origin: str | None, host: str | None, allowed: Iterable[str]) -> bool:
    """Whether a WebSocket may open: not from a browser, from this server's own pages, or from the list."""
    if origin is None:
        return True
    parts = urlsplit(origin)
    return (parts.scheme in ("http", "https") and parts.netloc == host) or origin in allowed
