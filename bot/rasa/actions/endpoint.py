"""An HTTP server that endpoints.yml names: its settings, and JSON posted to it with all limits that we know."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import httpx

from bot.assistant_yaml import AssistantError, YamlMap, describe, did_you_mean, read_map

MAX_ANSWER_BYTES: Final = 1_000_000
DEFAULT_SECONDS: Final = 10.0
"""For one request. Five in a row that take so long open the circuit before a turn's own limit of a minute."""
_KEEP_ALIVE_SECONDS: Final = 4.0
"""Shorter than what servers keep an idle connection for (5 s is common), so that none closes it under a request."""
_KEYS: Final = (
    "url", "headers", "params", "basic_auth", "token", "token_name", "cafile", "enable_selective_domain",
    "actions_module", "timeout", "type",
)  # fmt: skip
_HEADER_NAME, _LINE_BREAK = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"), re.compile(r"[\r\n\0]")


class EndpointError(Exception):
    """No usable answer. ``kind`` says why: in time, at all, to the end, of sane size."""

    def __init__(
        self, kind: Literal["timeout", "unreachable", "broken_off", "too_large", "garbage"], reason: str
    ) -> None:
        super().__init__(reason)
        self.kind: Literal["timeout", "unreachable", "broken_off", "too_large", "garbage"] = kind


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """One entry of endpoints.yml; secrets are not shown when it is printed.

    ``timeout_seconds`` (key `timeout`) is ours, for a whole request; ``selective_domain`` is meant for actions only.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    basic_auth: tuple[str, str] | None = field(default=None, repr=False)
    cafile: Path | None = None
    timeout_seconds: float = DEFAULT_SECONDS
    selective_domain: bool = False

    @property
    def shown(self) -> str:
        """The address for messages: without password and query."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        place = f"[{host}]" if ":" in host else host
        return urlunsplit((parts.scheme, f"{place}:{parts.port}" if parts.port else place, parts.path, "", ""))


def read_endpoint(entry: object, name: str, folder: Path, timeout_seconds: float = DEFAULT_SECONDS) -> EndpointSettings:
    """The settings in one entry of endpoints.yml.

    Args:
        entry: what stands under ``name``.
        name: action_endpoint or nlg.
        folder: the project's, which `cafile` is relative to.
        timeout_seconds: unless the entry has `timeout`.

    Raises:
        AssistantError: a key is unknown or its value can't be used; names file, line and remedy.
    """
    return _Entry(entry, name, folder).settings(timeout_seconds)


class EndpointClient:
    """Posts JSON over kept connections; follows no redirect, obeys no proxy variable, reads no more than it must.

    Args:
        settings: where and how.
        connections: kept open and used at the same time, at most.
    """

    def __init__(self, settings: EndpointSettings, connections: int = 32) -> None:
        self.settings = settings
        self._limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEEP_ALIVE_SECONDS
        )
        self._client: httpx.AsyncClient | None = None

    async def post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """The status and the body of the answer. Raises EndpointError."""
        if self._client is None:
            self._client = self._connect()
        try:
            async with asyncio.timeout(self.settings.timeout_seconds):
                return await self._exchange(self._client, body, headers)
        except (TimeoutError, httpx.TimeoutException):
            reason = f"no answer in {self.settings.timeout_seconds:g} s from {self.settings.shown}"
            raise EndpointError("timeout", reason) from None
        except httpx.ConnectError as error:
            raise EndpointError("unreachable", f"no connection to {self.settings.shown} ({_short(error)})") from None
        except httpx.DecodingError:
            raise EndpointError("garbage", f"the answer of {self.settings.shown} can't be decoded") from None
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            reason = f"{self.settings.shown} broke off ({_short(error)})"
            raise EndpointError("broken_off", reason) from None

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _connect(self) -> httpx.AsyncClient:
        for name in ("httpx", "httpcore"):  # they log addresses with tokens, and headers
            logging.getLogger(name).setLevel(logging.WARNING)
        verify: Any = urlsplit(self.settings.url).scheme == "https"  # certificates take a while to load
        if verify and self.settings.cafile is not None:
            verify = ssl.create_default_context(cafile=str(self.settings.cafile))
        return httpx.AsyncClient(
            auth=self.settings.basic_auth,
            params=dict(self.settings.params),
            headers={
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                **self.settings.headers,
            },
            verify=verify,
            timeout=None,  # one for the whole exchange is kept outside
            follow_redirects=False,
            trust_env=False,
            limits=self._limits,
        )

    async def _exchange(self, client: httpx.AsyncClient, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        async with client.stream("POST", self.settings.url, content=body, headers=dict(headers)) as response:
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise EndpointError("garbage", f"{self.settings.shown} compressed its answer without being asked to")
            found = bytearray()
            async for chunk in response.aiter_raw():
                found += chunk
                if len(found) > MAX_ANSWER_BYTES:
                    reason = f"the answer of {self.settings.shown} is over {MAX_ANSWER_BYTES:,} bytes"
                    raise EndpointError("too_large", reason)
            return response.status_code, bytes(found)


class _Entry:
    """One entry while it is being read; errors find their lines in the file."""

    def __init__(self, entry: object, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        if not isinstance(entry, Mapping):
            raise self.error("", f"`{name}` is {describe(entry)}", f"Write `{name}:` and below it `url: http://...`")
        self.values: Mapping[str, Any] = entry

    def error(self, key: str, problem: str, remedy: str) -> AssistantError:
        return endpoint_error(self.folder, self.name, key, problem, remedy)

    def settings(self, timeout_seconds: float) -> EndpointSettings:
        values = self.values
        for key in values:
            if key not in _KEYS:
                raise self.error(str(key), f"unknown key {key!r} in `{self.name}`", did_you_mean(str(key), _KEYS))
        params = self.texts("params")
        if values.get("token"):
            params = {**params, str(values.get("token_name") or "token"): str(values["token"])}
        return EndpointSettings(
            url=self.url(),
            headers=self.headers(),
            params=params,
            basic_auth=self.basic_auth(),
            cafile=self.cafile(),
            timeout_seconds=self.seconds(timeout_seconds),
            selective_domain=values.get("enable_selective_domain") is True,
        )

    def url(self) -> str:
        url = self.values.get("url")
        remedy = "Write `url: http://host:5055/webhook`"
        if not isinstance(url, str) or not url.strip():
            raise self.error("url", f"`{self.name}` has no `url`", remedy)
        url = url.strip()
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(httpx.URL(url).host) and parts.port != 0
        except (ValueError, httpx.InvalidURL):  # also of a host name that IDNA can't write
            usable = False
        if not usable or _LINE_BREAK.search(url):
            raise self.error("url", f"the `url` of `{self.name}` is not an http(s) address", remedy)
        return url

    def texts(self, key: str) -> dict[str, str]:
        values = self.values.get(key)
        if values is None:
            return {}
        if not isinstance(values, Mapping) or not all(isinstance(v, str | int | float) for v in values.values()):
            raise self.error(key, f"`{key}` is not a mapping of texts", "Write `name: text` lines below it")
        return {str(name): str(value) for name, value in values.items()}

    def headers(self) -> dict[str, str]:
        headers = self.texts("headers")
        for key, value in headers.items():
            if not _HEADER_NAME.fullmatch(key) or _LINE_BREAK.search(value) or not value.isascii():
                raise self.error("headers", f"{key!r} is not an HTTP header", "Use one line of ASCII")
        return headers

    def basic_auth(self) -> tuple[str, str] | None:
        values = self.values.get("basic_auth")
        if values is None:
            return None
        if not isinstance(values, Mapping) or "username" not in values:
            remedy = "Write `username:` and `password:` below it"
            raise self.error("basic_auth", "`basic_auth` names no username", remedy)
        return str(values["username"]), str(values.get("password") or "")

    def cafile(self) -> Path | None:
        cafile = self.values.get("cafile")
        if cafile is None:
            return None
        path = self.folder / str(cafile)
        if not path.is_file():
            raise self.error("cafile", f"there is no file {cafile!r}", "Give the path of the certificate (PEM)")
        try:
            ssl.create_default_context(cafile=str(path))
        except OSError:  # as are all errors of ssl
            raise self.error("cafile", f"{cafile!r} holds no certificate", "Give a file in PEM format") from None
        return path

    def seconds(self, default: float) -> float:
        seconds = self.values.get("timeout", default)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 3600:
            raise self.error("timeout", f"`timeout` is {describe(seconds)}", "Give seconds, e.g. `timeout: 10`")
        return float(seconds)


def endpoint_error(folder: Path, name: str, key: str, problem: str, remedy: str) -> AssistantError:
    """An error at ``key`` of entry ``name`` of the project's endpoints.yml; the line is 0 where the file has none."""
    file, line = folder / "endpoints.yml", 0
    try:
        whole = read_map(file, needed_for="its endpoints")
    except AssistantError:
        pass
    else:
        entry = whole.get(name)
        line = whole.lines.get(name, 0)
        if isinstance(entry, YamlMap):
            line = entry.lines.get(key, line)
    return AssistantError(file, line, problem, remedy)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:120] if str(error) else type(error).__name__
