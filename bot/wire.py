"""JSON at the door: strict reading of what clients send, one shape for what they are told when it is refused.

Sizes are checked before anything is parsed; a refusal costs less than an answer and is never a 5xx.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

JSON = "application/json"
CURLS_DEFAULT = "application/x-www-form-urlencoded"
"""What `curl -d '{...}'` says of any body. A page of another site can send it too, but not without an Origin header."""
MAX_ID_CHARS = 200
MAX_DEPTH = 32
MAX_INT_DIGITS = 100
DRAIN = 16
"""How many times the allowed body is read and dropped before the connection is cut."""

_BAD_ID = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NUL_OR_SURROGATE = re.compile("[\x00\ud800-\udfff]")


class Refusal(Exception):
    """What a client did wrong, or why it must wait: an HTTP status, a short reason and the remedy in ``message``."""

    def __init__(
        self, status: int, reason: str, message: str, *, retry_after: int | None = None, close: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.close = close

    def body(self, version: str = "") -> dict[str, Any]:
        """Rasa's error body."""
        return {
            "version": version,
            "status": "failure",
            "message": self.message,
            "reason": self.reason,
            "details": {},
            "help": None,
            "code": self.status,
        }

    def response(self, version: str = "") -> Response:
        """The HTTP answer; ``version`` is this program's."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.close:
            headers["Connection"] = "close"
        return json_response(self.body(version), self.status, headers)


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """ASCII JSON: whatever a reply contains, even a lone surrogate, can be sent."""
    return Response(json_text(content), status, headers, JSON)


def json_text(content: Any) -> str:
    """Canonical compact JSON; the same content always gives the same bytes."""
    return json.dumps(content, ensure_ascii=True, separators=(",", ":"))


async def read_object(request: Request, max_bytes: int) -> dict[str, Any]:
    """The request's JSON object.

    Raises:
        Refusal: 415 not JSON, 413 too long, 400 anything malformed.
    """
    return as_object(await read_json(request, max_bytes))


async def read_json(request: Request, max_bytes: int) -> Any:
    """The request's JSON, whatever it is; see ``read_object``."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON and not (kind == CURLS_DEFAULT and "origin" not in request.headers):
        raise Refusal(415, "UnsupportedMediaType", f"send the header Content-Type: {JSON}, not {kind[:100]!r}")
    return parse_value(await read_body(request, max_bytes))


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The request's bytes.

    Raises:
        Refusal: 413 longer than ``max_bytes``.
    """
    body, received = bytearray(), 0
    async for chunk in request.stream():
        received += len(chunk)
        if received <= max_bytes:
            body += chunk
        elif received > max_bytes * DRAIN:
            break
    if received <= max_bytes:
        return bytes(body)
    # a body a little too long is read to its end, because a connection closed on unread bytes loses the answer
    message = f"the body is longer than {max_bytes} bytes"
    raise Refusal(413, "PayloadTooLarge", message, close=received > max_bytes * DRAIN)


def parse_object(body: bytes | str) -> dict[str, Any]:
    """Strict JSON with an object outside; see ``parse_value``."""
    return as_object(parse_value(body))


def as_object(value: Any) -> dict[str, Any]:
    """The value, when it is an object.

    Raises:
        Refusal: 400.
    """
    if not isinstance(value, dict):
        raise Refusal(400, "InvalidJSON", f"send a JSON object, not {_kind(value)}")
    return value


def parse_value(body: bytes | str) -> Any:
    """Strict JSON: UTF-8, no duplicate keys, no NaN, bounded depth and numbers.

    Raises:
        Refusal: 400 with what is wrong.
    """
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_small_int, parse_float=_finite
        )
    except UnicodeDecodeError as error:
        raise Refusal(400, "InvalidJSON", f"the body is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        message = f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise Refusal(400, "InvalidJSON", message) from None
    except RecursionError:
        raise _too_deep() from None
    _check_depth(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Refusal(400, "InvalidJSON", f"the key {twice[:100]!a} appears twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise Refusal(400, "InvalidJSON", f"{name} is not JSON")


def _small_int(digits: str) -> int:
    if len(digits) > MAX_INT_DIGITS:
        raise Refusal(400, "InvalidJSON", f"a number has more than {MAX_INT_DIGITS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Refusal(400, "InvalidJSON", f"the number {digits[:30]} is too large")
    return value


def _too_deep() -> Refusal:
    return Refusal(400, "InvalidJSON", f"the JSON is nested deeper than {MAX_DEPTH} levels")


def _check_depth(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return
    raise _too_deep()


def _kind(value: Any) -> str:
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "null")


def take_id(content: Mapping[str, Any], key: str, *, required: bool = True) -> str | None:
    """An identifier: 1 to 200 characters without control characters; None when absent and not required.

    Raises:
        Refusal: 400 naming the key.
    """
    value = content.get(key)
    if value is None and not required:
        return None
    if not isinstance(value, str):
        raise Refusal(400, "InvalidField", f"{key!r} must be a string, not {_kind(value)}")
    return check_id(value, key)


def check_id(value: str, key: str) -> str:
    """See ``take_id``."""
    if not 0 < len(value) <= MAX_ID_CHARS:
        raise Refusal(400, "InvalidField", f"{key!r} must have 1 to {MAX_ID_CHARS} characters, not {len(value)}")
    if _BAD_ID.search(value):
        raise Refusal(400, "InvalidField", f"{key!r} contains a control character or a lone surrogate")
    return value


def take_text(content: Mapping[str, Any], key: str, max_chars: int) -> str:
    """What a person said: not blank, at most ``max_chars`` code points, no NUL, no lone surrogate.

    Raises:
        Refusal: 400 naming the key.
    """
    value = content.get(key)
    if not isinstance(value, str):
        raise Refusal(400, "InvalidField", f"{key!r} must be a string, not {_kind(value)}")
    if len(value) > max_chars:
        raise Refusal(400, "MessageTooLong", f"{key!r} has {len(value)} characters: at most {max_chars} are read")
    if not value.strip():
        raise Refusal(400, "EmptyMessage", f"{key!r} is blank: send some text")
    bad = _NUL_OR_SURROGATE.search(value)
    if bad:
        raise Refusal(400, "InvalidField", f"{key!r} contains U+{ord(bad[0]):04X} at {bad.start()}: it is not text")
    return value


def take_object(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An optional object; empty when absent or null.

    Raises:
        Refusal: 400 naming the key.
    """
    value = content.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refusal(400, "InvalidField", f"{key!r} must be an object, not {_kind(value)}")
    return value


def take_number(query: Mapping[str, str], key: str, default: int, low: int, high: int) -> int:
    """A whole number of the query string, between ``low`` and ``high``.

    Raises:
        Refusal: 400 naming the key.
    """
    given = query.get(key)
    if given is None:
        return default
    try:
        value = int(given) if len(given) <= 18 else high + 1
    except ValueError:
        raise Refusal(400, "InvalidField", f"{key!r} must be a whole number") from None
    if not low <= value <= high:
        raise Refusal(400, "InvalidField", f"{key!r} must be between {low} and {high}")
    return value
