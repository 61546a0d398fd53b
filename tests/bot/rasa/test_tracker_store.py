"""The address of the database that endpoints.yml names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from bot.config import Config
from bot.rasa.tracker_store import database_url
from tests.bot.rasa.projects import write_project

STORE = {"type": "SQL", "dialect": "postgresql+psycopg2", "url": "db.example", "port": 5433, "db": "rasa"}


def test_a_postgresql_store_is_an_address_with_everything_quoted() -> None:
    secret = "p@ss/w:rd?#%"
    url = database_url(
        {"tracker_store": {**STORE, "username": "a b", "password": secret, "query": {"sslmode": "require"}}}
    )
    parts = urlsplit(url or "")
    assert (parts.scheme, parts.hostname, parts.port, parts.path) == ("postgresql", "db.example", 5433, "/rasa")
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == ("a b", secret)
    assert parts.query == "sslmode=require"
    assert (
        database_url({"tracker_store": {"type": "sql", "dialect": "postgresql"}}) == "postgresql://localhost:5432/rasa"
    )


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("postgresql+psycopg2://u:s3@db/rasa", "postgresql://u:s3@db/rasa"),
        ("postgres://db/rasa", "postgresql://db/rasa"),
        ("mysql://u:s3@db/rasa", None),
        ("db.example:5444", "postgresql://db.example:5444/rasa"),
        ("[::1]", "postgresql://[::1]:5433/rasa"),
    ],
)
def test_an_address_is_always_one_of_a_database_and_never_a_file(url: str, address: str | None) -> None:
    assert database_url({"tracker_store": {**STORE, "url": url}}) == address


def test_the_configured_store_of_a_project_is_its_tracker_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = (
        "tracker_store:\n  type: SQL\n  dialect: postgresql\n  url: db\n  password: ${SECRET_OF_DB}\n  username: bot\n"
    )
    write_project(tmp_path, {"endpoints.yml": store})
    monkeypatch.setenv("SECRET_OF_DB", "s3")
    monkeypatch.delenv("REJOINDER_STORE_URL", raising=False)
    config = Config(assistant=tmp_path)
    assert config.store_address == "postgresql://bot:s3@db:5432/rasa"
    monkeypatch.setenv("REJOINDER_STORE_URL", "postgresql://elsewhere/x")
    assert config.store_address == "postgresql://elsewhere/x"
    (tmp_path / "endpoints.yml").unlink()
    monkeypatch.delenv("REJOINDER_STORE_URL")
    assert str(config.store_address) == str(config.database)


@pytest.mark.parametrize(
    "store", [None, {}, {"type": "redis", "url": "x"}, {"type": "SQL", "dialect": "sqlite", "db": "rasa.db"}]
)
def test_any_other_store_is_rejoinders_own(store: object) -> None:
    assert database_url({"tracker_store": store}) is None
