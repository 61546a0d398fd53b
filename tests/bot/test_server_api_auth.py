"""Rasa's protection of the HTTP API: its token, its JSON Web Tokens, and nothing else opens it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from bot.api_auth import SHARED, TokenKey, api_auth
from bot.limits import SettingsError
from tests.promises.harness import ServerProcess

KEY = "the-key-that-signs-the-api's-json-web-tokens-" + "0123456789abcdef" * 2
TOKEN = "the-token-of-the-api"
PUBLIC_PEM = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    db = tmp_path_factory.mktemp("api") / "log.sqlite3"
    with ServerProcess(db, "--auth-token", TOKEN, "--jwt-secret", KEY, "--access-log") as running:
        yield running


@pytest.fixture(scope="module")
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=10) as client:
        for name in ("ann", "bob"):
            client.post("/webhooks/rest/webhook", json={"sender": name, "message": "hello"})
        yield client


def user(name: str, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"user": {"username": name, "role": role}, **more}


def signed(payload: dict[str, Any], key: str = KEY, method: str = "HS256") -> str:
    return jwt.encode(payload, key, algorithm=method)


def part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def by_hand(header: Any, payload: Any, key: bytes = KEY.encode(), digest: Any = hashlib.sha256) -> str:
    """A token of any form, its signature made with ``key``."""
    body = f"{part(header)}.{part(payload)}"
    return f"{body}.{part(hmac.new(key, body.encode(), digest).digest())}"


def forged() -> Iterator[str]:
    """Tokens that say they are an admin's, or ann's, and are not."""
    now = int(time.time())
    good = signed(user("root", "admin"))
    header, payload, signature = good.split(".")
    for alg in ("none", "None", "NONE", "nOnE", "", None, 0, [], {}):
        head = part({"typ": "JWT", "alg": alg})
        yield f"{head}.{payload}."
        yield f"{head}.{payload}.{signature}"
    for alg in ("HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "hs256", "HS256 ", "A128KW", "dir"):
        yield by_hand({"typ": "JWT", "alg": alg}, user("root", "admin"))
    yield signed(user("root", "admin"), method="HS512")
    for key in ("", " ", "secret", KEY[:-1], KEY + " ", KEY.upper(), KEY[::-1], TOKEN, PUBLIC_PEM, "\0" * 32):
        yield by_hand({"typ": "JWT", "alg": "HS256"}, user("root", "admin"), key.encode())
    for claims in ({"exp": now - 60}, {"exp": 0}, {"nbf": now + 3600}, {"exp": "soon"}, {"iat": now + 3600}):
        yield by_hand({"typ": "JWT", "alg": "HS256"}, user("root", "admin", **claims))
    yield f"{header}.{part(user('root', 'admin', more=1))}.{signature}"
    yield f"{header}.{payload}.{signature[:-2]}AA"
    yield f"{header}.{payload}.{signature[::-1]}"
    yield f"{header}.{payload}"
    yield f"{header}.{payload}.{signature}.{signature}"
    yield f".{payload}.{signature}"
    yield f"{part(b'not json')}.{payload}.{signature}"
    for kid in ("../../dev/null", "/dev/null", "' UNION SELECT 'x", ["a"], None):
        yield by_hand({"typ": "JWT", "alg": "HS256", "kid": kid}, user("root", "admin"), b"")
    yield by_hand({"typ": "JWT", "alg": "HS256", "jwk": {"kty": "oct", "k": part(b"x")}}, user("root", "admin"), b"x")
    yield by_hand({"typ": "JWT", "alg": "HS256", "crit": ["exp"]}, user("root", "admin"))
    yield by_hand({"typ": "JWT", "alg": "HS256", "b64": False}, user("root", "admin"))
    for claims in ("admin", ["admin"], 1, None):
        yield by_hand({"typ": "JWT", "alg": "HS256"}, claims)
    yield from ("garbage", "a.b.c", "..", "...", "{}", "null", TOKEN[:-1], TOKEN + "x", "%00", "=" * 40, "A" * 8000)


def test_every_forged_token_gets_the_same_401_and_nothing_of_it_is_logged(
    server: ServerProcess, http: httpx.Client
) -> None:
    tokens = list(forged())
    assert len(tokens) >= 60
    paths = itertools.cycle(("/conversations/ann/tracker", "/status", "/domain", "/inspect/api/conversations"))
    answers = set()
    for token, path in zip(tokens, paths, strict=False):
        by_header = http.get(path, headers={"Authorization": f"Bearer {token}"})
        by_query = http.get(path, params={"token": token})
        answers |= {(a.status_code, a.content, a.headers["www-authenticate"]) for a in (by_header, by_query)}
    nothing = http.get("/status")
    answers.add((nothing.status_code, nothing.content, nothing.headers["www-authenticate"]))
    assert len(answers) == 1, "one answer for all of them, and for no token at all"
    ((status, body, _),) = answers
    assert status == 401
    told = json.loads(body)
    assert told == {**told, "status": "failure", "reason": "NotAuthenticated", "code": 401, "details": {}, "help": None}
    assert http.get("/status", params={"token": TOKEN}).status_code == 200, "the server is well"
    for secret in (KEY, TOKEN, signed(user("root", "admin")), *(token for token in tokens if len(token) > 15)):
        assert secret not in server.stderr


def test_an_admin_may_do_everything_and_a_user_only_the_own_conversation(http: httpx.Client) -> None:
    def status(path: str, claims: dict[str, Any], method: str = "GET") -> int:
        return http.request(method, path, headers={"Authorization": f"Bearer {signed(claims)}"}).status_code

    admin, ann = user("root", "admin"), user("ann", exp=int(time.time()) + 60)
    for path in ("/conversations/ann/tracker", "/conversations/bob/tracker", "/status", "/inspect/api/conversations"):
        assert status(path, admin) == 200
    assert status("/conversations/ann/tracker", ann) == 200
    for path in (
        "/conversations/bob/tracker",
        "/conversations/Ann/tracker",
        "/conversations/nobody/tracker",
        "/status",
    ):
        assert status(path, ann) == 403, path
    assert status("/conversations/bob", ann, "DELETE") == 403
    for claims in ({}, {"user": None}, {"user": "ann"}, {"user": {}}, user("ann", "owner"), {"user": {"role": "user"}}):
        assert status("/conversations/ann/tracker", claims) == 403, claims
    refused = http.get("/status", headers={"Authorization": f"Bearer {signed(ann)}"}).json()
    assert (refused["reason"], refused["code"], refused["status"]) == ("NotAuthorized", 403, "failure")


def test_the_token_opens_by_the_address_as_in_rasa_and_webhooks_stay_open(http: httpx.Client) -> None:
    assert http.get("/conversations/bob/tracker", params={"token": TOKEN}).json()["sender_id"] == "bob"
    assert http.get("/conversations/bob/tracker", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert http.post("/model/parse", json={"text": "hi"}).status_code == 401
    assert http.post("/model/parse", json={"text": "hi"}, params={"token": TOKEN}).status_code == 200
    assert http.get("/version").status_code == http.get("/").status_code == http.get("/health").status_code == 200
    assert http.post("/webhooks/rest/webhook", json={"sender": "ann", "message": "hi"}).status_code == 200


def test_the_front_page_is_text_for_programs_and_the_chat_for_browsers(http: httpx.Client) -> None:
    assert http.get("/").text == "Hello from Rejoinder: 0"
    page = http.get("/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("method", SHARED)
def test_a_key_takes_only_its_own_method(method: str) -> None:
    key = TokenKey(KEY, method)
    for other in SHARED:
        caller = key.caller(signed(user("ann"), method=other))
        assert (caller is not None and caller.may_reach("ann")) is (other == method)


@pytest.mark.parametrize(
    ("token", "secret", "method", "says"),
    [
        ("", None, None, "--auth-token is empty"),
        (None, "", None, "--jwt-secret is empty"),
        (None, KEY, "none", "--jwt-method is 'none': give one of HS256"),
        (None, KEY, "RS256", "--jwt-"),
        (None, PUBLIC_PEM, "HS256", "--jwt-secret is no key for HS256"),
    ],
)
def test_settings_that_cannot_protect_are_refused(
    token: str | None, secret: str | None, method: str | None, says: str
) -> None:
    with pytest.raises(SettingsError, match=says) as error:
        api_auth(token, secret, method)
    assert KEY not in str(error.value)
    assert KEY not in repr(api_auth(TOKEN, KEY, None))
