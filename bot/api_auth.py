"""Rasa's two ways to protect its HTTP API: one token in the address, and JSON Web Tokens signed with a shared key.

A JWT's payload is ``{"user": {"username": ..., "role": "admin" | "user"}}``: an admin may do everything, a user reaches
the conversation that has the user's name. Webhooks are open, as in Rasa: whoever knows a sender's id may speak as them.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, field
from typing import Any

import jwt

from bot.auth import same
from bot.limits import SettingsError

log = logging.getLogger("rejoinder.server")

SHARED = ("HS256", "HS384", "HS512")
PUBLIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
SHORT_KEY = 32
"""Bytes; a shorter key of HS256 can be guessed offline from one token."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a genuine JWT speaks for; ``username`` and ``role`` are None where it doesn't say."""

    username: str | None
    role: str | None

    def may_reach(self, conversation_id: str | None) -> bool:
        """An admin everything, a user the conversation with the user's name, nobody else anything."""
        if self.role == "admin":
            return True
        return self.role == "user" and conversation_id is not None and self.username == conversation_id


class TokenKey:
    """Verifies JSON Web Tokens of exactly one algorithm.

    Args:
        secret: the shared key, or the public key (PEM) of an asymmetric ``method``.
        method: its name in RFC 7518, e.g. HS256.

    Raises:
        SettingsError: the method is unknown, or the key isn't one for it.
    """

    def __init__(self, secret: str, method: str = "HS256") -> None:
        if method not in (*SHARED, *PUBLIC):
            raise SettingsError(f"--jwt-method is {method!r}: give one of {', '.join((*SHARED, *PUBLIC))}")
        if method not in jwt.algorithms.get_default_algorithms():
            raise SettingsError(f"--jwt-method {method} needs the package cryptography: pip install cryptography")
        if not secret:
            raise SettingsError("--jwt-secret is empty: give a long random one")
        try:
            self._key: Any = jwt.get_algorithm_by_name(method).prepare_key(secret)
        except (jwt.InvalidKeyError, ValueError, TypeError):
            raise SettingsError(f"--jwt-secret is no key for {method}: see --jwt-method") from None
        if method in SHARED and len(secret.encode()) < SHORT_KEY:
            log.warning("--jwt-secret is shorter than %s bytes: tokens signed with it can be forged", SHORT_KEY)
        self._method = method

    def caller(self, token: str | None) -> Caller | None:
        """Who a token speaks for; None for every token that was not signed with the key or is not valid now."""
        if token is None:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about short keys: said once, at the start
                claims = jwt.decode(token, self._key, algorithms=[self._method])
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError, OverflowError):
            return None
        user = claims.get("user")
        if not isinstance(user, dict):
            return Caller(None, None)
        name, role = user.get("username"), user.get("role")
        return Caller(name if isinstance(name, str) else None, role if isinstance(role, str) else None)


@dataclass(frozen=True, slots=True)
class ApiAuth:
    """How the HTTP API is protected; with neither, Rasa leaves it open (here: see ``bot.channels.access``)."""

    token: str | None = field(default=None, repr=False)
    key: TokenKey | None = field(default=None, repr=False)

    @property
    def is_on(self) -> bool:
        """Whether a token or a key is set."""
        return self.token is not None or self.key is not None

    def opens(self, token: str | None) -> bool:
        """Whether ``token`` is the API's."""
        return self.token is not None and token is not None and same(token, self.token)

    def caller(self, token: str | None) -> Caller | None:
        """See ``TokenKey.caller``."""
        return None if self.key is None else self.key.caller(token)


def api_auth(token: str | None, secret: str | None, method: str | None) -> ApiAuth:
    """From the command line's ``--auth-token``, ``--jwt-secret`` and ``--jwt-method``.

    Raises:
        SettingsError: one of them can't be used.
    """
    if token == "":
        raise SettingsError("--auth-token is empty: give a long random one, or leave it out")
    return ApiAuth(token, None if secret is None else TokenKey(secret, method or "HS256"))
