"""Where a Rasa project keeps its conversations, as an address for Rejoinder's store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from bot.rasa.reading.files import is_rasa_project, read_endpoints_file

PORT = 5432
_PORT_GIVEN = re.compile(r"^[^:]+:\d+$|\]:\d+$")


def project_database_url(folder: Path | str) -> str | None:
    """``database_url`` of the Rasa project in ``folder``; None where there is no such project or it names no database.

    AssistantError when endpoints.yml is broken.
    """
    return database_url(read_endpoints_file(Path(folder))) if is_rasa_project(folder) else None


def database_url(endpoints: Mapping[str, Any]) -> str | None:
    """The PostgreSQL address that endpoints.yml's `tracker_store` names (`type: SQL`, `dialect: postgresql`).

    None for every other kind of store: conversations are then where config.yml says. The address may hold a password:
    it is for `memory.store_opening.open_store`, not for logs. Rejoinder has a schema of its own there.
    """
    store = endpoints.get("tracker_store")
    if not isinstance(store, Mapping) or str(store.get("type", "")).lower() != "sql":
        return None
    if not str(store.get("dialect", "")).startswith("postgres"):
        return None
    host = str(store.get("url") or "localhost")
    if "://" in host:  # a whole address, as SQLAlchemy writes it: postgresql+psycopg2://...
        scheme, _, rest = host.partition("://")
        return f"postgresql://{rest}" if scheme.startswith("postgres") else None
    user = quote(str(store.get("username") or ""), safe="")
    password = quote(str(store.get("password") or ""), safe="")
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    query = store.get("query")
    extra = f"?{urlencode(query)}" if isinstance(query, Mapping) and query else ""
    name = quote(str(store.get("db") or "rasa"), safe="")
    if not _PORT_GIVEN.search(host):
        host = f"{host}:{store.get('port') or PORT}"
    return f"postgresql://{login}{host}/{name}{extra}"
