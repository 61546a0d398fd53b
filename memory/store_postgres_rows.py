"""How events become rows on PostgreSQL: one transaction an append, under its conversation's advisory lock."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from psycopg import errors

from memory.events import Event, event_to_json
from memory.store_postgres_schema import Connection
from memory.store_rows import (
    ERASE,
    TURN_COLUMNS,
    DuplicateMessage,
    Message,
    SequenceConflict,
    booking_rows,
    message_rows,
    storable,
    summary_change,
    turn_values,
)
from memory.store_turns import turn_rows

MAX_INDEXED = 100_000
"""Characters of a message that full-text search knows; PostgreSQL refuses words of more than 1 MB in one."""

_MESSAGE = """
INSERT INTO messages (conversation_id, seq, who, message_id, text, timestamp, words)
VALUES (%s, %s, %s, %s, %s, %s, to_tsvector('stemmed', %s))
"""
_EVENT = "INSERT INTO events (conversation_id, seq, type, timestamp, payload) VALUES (%s, %s, %s, %s, %s)"
_BOOKING = """
INSERT INTO bookings (conversation_id, seq, reference, entity, details, timestamp) VALUES (%s, %s, %s, %s, %s, %s)
"""
_TURN = f"INSERT INTO turns ({', '.join(TURN_COLUMNS)}) VALUES ({', '.join(['%s'] * len(TURN_COLUMNS))})"
_LATER = """
UPDATE turns SET action = CASE WHEN %(action)s = '' THEN action ELSE %(action)s END, failed = failed OR %(failed)s
WHERE conversation_id = %(id)s AND seq = (SELECT max(seq) FROM turns WHERE conversation_id = %(id)s AND seq < %(seq)s)
"""
_FEEDBACK = "UPDATE turns SET feedback = %s WHERE conversation_id = %s AND message_id = %s"
_SUMMARY = """
INSERT INTO conversations AS c (id, channel, started, last_time, last_text, turns, mood, bookings, handed_off)
VALUES (%(id)s, %(channel)s, %(started)s, %(time)s, %(text)s, %(turns)s, %(fresh_mood)s, %(bookings)s, %(handed_off)s)
ON CONFLICT (id) DO UPDATE SET
    last_time = greatest(c.last_time, EXCLUDED.last_time),
    last_text = CASE WHEN EXCLUDED.last_text = '' THEN c.last_text ELSE EXCLUDED.last_text END,
    turns = c.turns + EXCLUDED.turns,
    mood = c.mood * %(decay)s + EXCLUDED.mood,
    bookings = c.bookings + EXCLUDED.bookings,
    handed_off = c.handed_off OR EXCLUDED.handed_off
"""


def folded(text: str) -> str:
    """Without accents, as SQLite's tokenizer takes words: ``café`` is found by ``cafe``."""
    spelled = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in spelled if not unicodedata.combining(letter))


def write_events(connection: Connection, conversation_id: str, expected_seq: int, events: Sequence[Event]) -> None:
    """Append ``events`` as numbers ``expected_seq``, ... or ``ERASE`` what is stored and begin
    anew with ``events``, if any; committed on return.

    Raises:
        DuplicateMessage: a user message's id is stored already.
        SequenceConflict: the conversation does not have exactly ``expected_seq`` events.
        psycopg.Error: nothing was kept; or, if the connection was lost, perhaps everything.
    """
    with connection.transaction():
        # held till the transaction's end: whoever comes next, in whichever process, sees what this one wrote
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [conversation_id])
        if expected_seq == ERASE:
            _erase(connection, conversation_id)
            if events:
                _append(connection, conversation_id, 0, events)
        else:
            _append(connection, conversation_id, expected_seq, events)


def _append(connection: Connection, conversation_id: str, expected_seq: int, events: Sequence[Event]) -> None:
    row = connection.execute("SELECT max(seq) FROM events WHERE conversation_id = %s", [conversation_id]).fetchone()
    found = 0 if row is None or row[0] is None else int(row[0]) + 1
    messages = message_rows(conversation_id, expected_seq, events)
    try:
        with connection.pipeline():  # one trip to the database for all of it
            _write(connection, conversation_id, expected_seq, events, messages)
    except errors.UniqueViolation as error:
        if error.diag.constraint_name == "one_turn_per_message":
            said = [message[3] for message in messages if message[2] == "user"]
            raise DuplicateMessage(f"message {said} of conversation {conversation_id!r} is stored already") from None
        raise SequenceConflict(f"conversation {conversation_id!r} has {found} events, not {expected_seq}") from None
    if found != expected_seq:
        raise SequenceConflict(f"conversation {conversation_id!r} has {found} events, not {expected_seq}")


def _write(
    connection: Connection, conversation_id: str, seq: int, events: Sequence[Event], messages: Sequence[Message]
) -> None:
    with connection.cursor() as cursor:
        if messages:
            # first of all: a repeated message is one also where the conversation has gone on since
            said = sorted(messages, key=lambda message: message[2] != "user")
            cursor.executemany(_MESSAGE, [(*message, folded(message[4])[:MAX_INDEXED]) for message in said])
        rows = [
            (conversation_id, seq + i, type(event).__name__, event.timestamp, event_to_json(event))
            for i, event in enumerate(events)
        ]
        if rows:
            cursor.executemany(_EVENT, rows)
        if bookings := booking_rows(conversation_id, seq, events):
            cursor.executemany(_BOOKING, bookings)
        turns = turn_rows(seq, events)
        if turns.later_action or turns.later_failed:
            action = storable(turns.later_action)
            cursor.execute(_LATER, {"action": action, "failed": turns.later_failed, "id": conversation_id, "seq": seq})
        if turns.new:
            cursor.executemany(_TURN, [turn_values(conversation_id, row) for row in turns.new])
        if turns.feedback:
            cursor.executemany(_FEEDBACK, [(value, conversation_id, storable(m)) for m, value in turns.feedback])
        if events:
            cursor.execute(_SUMMARY, summary_change(conversation_id, events, messages))


def _erase(connection: Connection, conversation_id: str) -> None:
    for table, column in (
        ("messages", "conversation_id"),
        ("events", "conversation_id"),
        ("bookings", "conversation_id"),
        ("turns", "conversation_id"),
        ("conversations", "id"),
    ):
        connection.execute(f"DELETE FROM {table} WHERE {column} = %s", [conversation_id])  # type: ignore[call-overload, unused-ignore]
