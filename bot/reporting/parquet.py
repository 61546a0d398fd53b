"""Rows to Parquet files, a table a file, each replaced only when it is complete (needs ``rejoinder[data]``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bot.reporting.tables import TABLES, Row, Tables

ROWS_AT_ONCE = 20_000
"""Rows kept in memory before they are written as one row group."""

_KEY = [("conversation_id", pa.string()), ("seq", pa.int32()), ("message_id", pa.string())]
_TIME = ("timestamp", pa.timestamp("us", tz="UTC"))


def _strings(*names: str) -> list[tuple[str, Any]]:
    return [(name, pa.string()) for name in names]


_ACT = pa.struct([("act", pa.string()), ("confidence", pa.float64())])
_ENTITY = pa.struct([("name", pa.string()), ("value", pa.string()), ("confidence", pa.float64())])

SCHEMAS: dict[str, pa.Schema] = {
    "conversations": pa.schema(
        [*_strings("conversation_id", "channel"), ("started", _TIME[1]), ("last_time", _TIME[1]),
         ("turns", pa.int32()), ("events", pa.int32()), ("bookings", pa.int32()), ("handed_off", pa.bool_()),
         ("failed_turns", pa.int32())]
    ),
    "turns": pa.schema(
        [*_KEY[:2], ("turn", pa.int32()), _KEY[2], _TIME, *_strings("channel", "text", "intent"),
         ("intent_confidence", pa.float64()), ("sentiment", pa.float64()), ("out_of_scope", pa.float64()),
         ("acts", pa.list_(_ACT)), ("entities", pa.list_(_ENTITY)), *_strings("action", "policy", "version"),
         ("replies", pa.list_(pa.string())), ("latency_ms", pa.float64()), ("failed", pa.bool_()),
         ("booked", pa.bool_()), ("handed_off", pa.bool_()), ("feedback", pa.int8())]
    ),
    "decisions": pa.schema(
        [*_KEY, _TIME, *_strings("policy", "version", "action"), ("propensity", pa.float64()),
         *_strings("kind", "slot", "value", "entity"), ("answered", pa.list_(pa.string())),
         ("action_values", pa.list_(pa.float64())), ("allowed", pa.list_(pa.bool_())), *_strings("timings_ms")]
    ),
    "slates": pa.schema(
        [*_KEY, _TIME, *_strings("kind", "query", "mode"), ("exploration", pa.float64()), *_strings("ranker"),
         ("position", pa.int32()), *_strings("candidate", "pool"), ("propensity", pa.float64()),
         ("score", pa.float64()), ("said", pa.bool_()), *_strings("features")]
    ),
    "feedback": pa.schema(
        [*_KEY, _TIME, *_strings("action"), ("value", pa.int8()), *_strings("comment", "kind", "query", "candidate",
                                                                            "pool")]
    ),
    "events": pa.schema([*_KEY, *_strings("type"), _TIME, *_strings("payload")]),
}  # fmt: skip


def write_parquet(conversations: Iterable[Tables], folder: Path, advance: Callable[[], None]) -> dict[str, int]:
    """Write ``TABLE.parquet`` of every table into ``folder``; returns the rows of each.

    ``advance`` is called after each conversation. Whoever reads meanwhile sees the files of before; an interruption
    leaves them. OSError when the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    staged = {name: folder / f".{name}.parquet.{os.getpid()}" for name in TABLES}
    rows, written = {name: list[Row]() for name in TABLES}, dict.fromkeys(TABLES, 0)
    try:
        with ExitStack() as stack:
            writers = {
                name: stack.enter_context(pq.ParquetWriter(path, SCHEMAS[name], compression="zstd"))
                for name, path in staged.items()
            }
            for tables in conversations:
                for name, found in tables.items():
                    rows[name] += found
                    if len(rows[name]) >= ROWS_AT_ONCE:
                        written[name] += _flush(writers[name], name, rows[name])
                advance()
            for name, left in rows.items():
                written[name] += _flush(writers[name], name, left)
        for name, path in staged.items():
            path.replace(folder / f"{name}.parquet")
    except OSError as error:
        if error.filename is None:  # Arrow's own, such as a full disk
            raise OSError(error.errno, error.strerror or str(error), str(folder)) from None
        raise
    finally:
        for path in staged.values():
            path.unlink(missing_ok=True)
    return written


def _flush(writer: pq.ParquetWriter, name: str, rows: list[Row]) -> int:
    schema = SCHEMAS[name]
    columns = [_column([row[field.name] for row in rows], field.type) for field in schema]
    writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    count = len(rows)
    rows.clear()
    return count


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array([round(value * 1e6) for value in values], pa.int64()).cast(kind)
    if pa.types.is_string(kind):
        return pa.array([None if value is None else _utf8(value) for value in values], kind)
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return pa.array([[_utf8(text) for text in value] for value in values], kind)
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return pa.array([[_texts(item) for item in value] for value in values], kind)
    return pa.array(values, kind)


def _texts(item: Row) -> Row:
    return {name: _utf8(value) if isinstance(value, str) else value for name, value in item.items()}


def _utf8(text: str) -> str:
    """Half a surrogate pair is no character: Parquet's text can't hold it."""
    return text.encode("utf-8", "replace").decode("utf-8") if text.isascii() is False else text
