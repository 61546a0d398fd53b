"""Whether a request comes from Slack: HMAC-SHA256 over the bytes as they arrived, no older than five minutes.

Slack's scheme v0 (https://docs.slack.dev/authentication/verifying-requests-from-slack):
``v0=HMAC(signing secret, "v0:" + timestamp + ":" + body)``. Nothing is decoded, parsed or answered before this holds,
and whatever is wrong is refused with one and the same 401.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

WINDOW_SECONDS = 300
"""A timestamp further away than this, to either side, is refused."""

_TIMESTAMP = re.compile(rb"[0-9]{1,12}")
_SIGNATURE = re.compile(rb"v0=[0-9a-f]{64}")


def sign(secret: str, timestamp: bytes, body: bytes) -> bytes:
    """The value of ``X-Slack-Signature``."""
    return b"v0=" + hmac.new(secret.encode(), b"v0:" + timestamp + b":" + body, hashlib.sha256).hexdigest().encode()


def is_from_slack(secret: str, headers: Sequence[tuple[bytes, bytes]], body: bytes, now: float) -> bool:
    """Whether ``body`` carries exactly one fresh timestamp and its right signature, and is UTF-8 as Slack's always is.

    Args:
        secret: the app's signing secret.
        headers: raw, names in lower case.
        body: raw, as received.
        now: seconds since the epoch.
    """
    timestamps = [value for name, value in headers if name == b"x-slack-request-timestamp"]
    signatures = [value for name, value in headers if name == b"x-slack-signature"]
    if len(timestamps) != 1 or len(signatures) != 1:
        return False
    timestamp, signature = timestamps[0], signatures[0]
    if not _TIMESTAMP.fullmatch(timestamp) or not _SIGNATURE.fullmatch(signature):
        return False
    if not hmac.compare_digest(sign(secret, timestamp, body), signature):
        return False
    return abs(now - int(timestamp)) <= WINDOW_SECONDS and _is_utf8(headers, body)


def _is_utf8(headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
    for name, value in headers:
        declared = re.search(rb"charset\s*=\s*\"?([^\s;\"]+)", value.lower()) if name == b"content-type" else None
        if declared and declared[1] not in (b"utf-8", b"utf8"):
            return False
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
