"""How events become rows: the record itself and the tables derived from it, in one open transaction."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence

from sqlite_utils import Database

from memory.conversation import MOOD_MEMORY
from memory.events import Booked, BotUttered, Event, HandedOff, UserUttered, event_to_json
from memory.store_turns import TurnRow, turn_rows


class SequenceConflict(Exception):
    """Somebody else appended to the conversation since its state was read: fold it again and retry."""


class DuplicateMessage(Exception):
    """A user message with this id is stored already in this conversation: answer with ``find_turn``."""


_UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Text that UTF-8 and SQLite's functions can hold: NUL and lone surrogates become U+FFFD.

    Only derived texts are changed; the event keeps the original, escaped in its JSON.
    """
    return _UNPRINTABLE.sub("�", text)


ERASE = -1
"""In place of an expected sequence number: everything stored of the conversation is to be erased, and the events
(if any) are its new beginning."""


def write_events(db: Database, conversation_id: str, expected_seq: int, events: Sequence[Event]) -> None:
    """Append ``events`` as numbers ``expected_seq``, ``expected_seq + 1``, ...; or ``ERASE`` what was there first.

    Raises:
        DuplicateMessage: a user message's id is stored already.
        SequenceConflict: the conversation does not have exactly ``expected_seq`` events.
    """
    if expected_seq == ERASE:
        _erase(db, conversation_id)
        if not events:
            return
        expected_seq = 0
    messages = message_rows(conversation_id, expected_seq, events)
    for message in messages:
        _write_message(db, message)
    _check_sequence(db, conversation_id, expected_seq)
    rows = (
        (conversation_id, expected_seq + i, type(event).__name__, event.timestamp, event_to_json(event))
        for i, event in enumerate(events)
    )
    db.conn.executemany(
        "INSERT INTO events (conversation_id, seq, type, timestamp, payload) VALUES (?, ?, ?, ?, ?)", rows
    )
    for booking in booking_rows(conversation_id, expected_seq, events):
        db.conn.execute(_BOOKING, booking)
    write_turns(db, conversation_id, expected_seq, events)
    if events:
        db.conn.execute(_UPSERT, summary_change(conversation_id, events, messages))


def _erase(db: Database, conversation_id: str) -> None:
    db.conn.execute(
        "INSERT INTO messages_fts (messages_fts, rowid, text)"
        " SELECT 'delete', id, text FROM messages WHERE conversation_id = ?",
        (conversation_id,),
    )
    for table, column in (
        ("messages", "conversation_id"),
        ("events", "conversation_id"),
        ("bookings", "conversation_id"),
        ("turns", "conversation_id"),
        ("conversations", "id"),
    ):
        db.conn.execute(f"DELETE FROM {table} WHERE {column} = ?", (conversation_id,))
    # till the index is merged, the words of deleted rows stay in the file
    db.conn.execute("INSERT INTO messages_fts (messages_fts) VALUES ('optimize')")


Message = tuple[str, int, str, str | None, str, float]
"""conversation_id, seq, who, message_id, text, timestamp"""


def message_rows(conversation_id: str, seq: int, events: Sequence[Event]) -> list[Message]:
    """What was said in ``events``, for full-text search and for finding a message's turn again."""
    found: list[Message] = []
    message_id: str | None = None
    for i, event in enumerate(events):
        if isinstance(event, UserUttered):
            message_id = event.message_id
            found.append((conversation_id, seq + i, "user", message_id, storable(event.text), event.timestamp))
        elif isinstance(event, BotUttered):
            text = storable("\n".join(reply.text for reply in event.replies if reply.text))
            found.append((conversation_id, seq + i, "bot", message_id, text, event.timestamp))
    return found


def _write_message(db: Database, message: Message) -> None:
    try:
        cursor = db.conn.execute(
            "INSERT INTO messages (conversation_id, seq, who, message_id, text, timestamp) VALUES (?, ?, ?, ?, ?, ?)",
            message,
        )
    except sqlite3.IntegrityError:
        raise DuplicateMessage(f"message {message[3]!r} of conversation {message[0]!r} is stored already") from None
    db.conn.execute("INSERT INTO messages_fts (rowid, text) VALUES (?, ?)", (cursor.lastrowid, message[4]))


def _check_sequence(db: Database, conversation_id: str, expected_seq: int) -> None:
    row = db.conn.execute("SELECT max(seq) FROM events WHERE conversation_id = ?", (conversation_id,)).fetchone()
    found = 0 if row[0] is None else row[0] + 1
    if found != expected_seq:
        raise SequenceConflict(f"conversation {conversation_id!r} has {found} events, not {expected_seq}")


_BOOKING = (
    "INSERT INTO bookings (conversation_id, seq, reference, entity, details, timestamp) VALUES (?, ?, ?, ?, ?, ?)"
)

BookingRow = tuple[str, int, str, str, str, float]


def booking_rows(conversation_id: str, seq: int, events: Sequence[Event]) -> list[BookingRow]:
    """(conversation_id, seq, reference, entity, details as JSON, timestamp) of each booking."""
    return [
        (
            conversation_id,
            seq + i,
            storable(event.reference),
            storable(event.entity),
            json.dumps(event.details, sort_keys=True),
            event.timestamp,
        )
        for i, event in enumerate(events)
        if isinstance(event, Booked)
    ]


TURN_COLUMNS = (
    "conversation_id", "seq", "message_id", "timestamp", "channel", "intent", "sentiment", "action", "failed",
    "feedback",
)  # fmt: skip
_TURN = f"INSERT INTO turns ({', '.join(TURN_COLUMNS)}) VALUES ({', '.join('?' * len(TURN_COLUMNS))})"
_LATER = """
UPDATE turns SET action = CASE WHEN ? = '' THEN action ELSE ? END, failed = max(failed, ?)
WHERE conversation_id = ? AND seq = (SELECT max(seq) FROM turns WHERE conversation_id = ? AND seq < ?)
"""


def turn_values(conversation_id: str, row: TurnRow) -> tuple[object, ...]:
    """The values of ``TURN_COLUMNS``; nobody has judged a new turn yet."""
    texts = (storable(text) for text in (row.channel, row.intent))
    return (
        conversation_id, row.seq, storable(row.message_id), row.timestamp, *texts,
        row.sentiment, storable(row.action), row.failed, 0,
    )  # fmt: skip


def write_turns(db: Database, conversation_id: str, seq: int, events: Sequence[Event]) -> None:
    """Bring the table of turns up to date with ``events`` numbered ``seq``, ..."""
    rows = turn_rows(seq, events)
    if rows.later_action or rows.later_failed:
        action = storable(rows.later_action)
        db.conn.execute(_LATER, (action, action, rows.later_failed, conversation_id, conversation_id, seq))
    db.conn.executemany(_TURN, [turn_values(conversation_id, row) for row in rows.new])
    db.conn.executemany(
        "UPDATE turns SET feedback = ? WHERE conversation_id = ? AND message_id = ?",
        [(value, conversation_id, storable(message_id)) for message_id, value in rows.feedback],
    )


_UPSERT = """
INSERT INTO conversations (id, channel, started, last_time, last_text, turns, mood, bookings, handed_off)
VALUES (:id, :channel, :started, :time, :text, :turns, :fresh_mood, :bookings, :handed_off)
ON CONFLICT (id) DO UPDATE SET
    last_time = max(last_time, :time),
    last_text = CASE WHEN :text = '' THEN last_text ELSE :text END,
    turns = turns + :turns,
    mood = mood * :decay + :fresh_mood,
    bookings = bookings + :bookings,
    handed_off = max(handed_off, :handed_off)
"""


def summary_change(conversation_id: str, events: Sequence[Event], messages: Sequence[Message]) -> dict[str, object]:
    """What ``events`` (at least one) change in the list of conversations, by the names of the stores' upserts."""
    users = [event for event in events if isinstance(event, UserUttered)]
    mood = 0.0
    for user in users:
        mood = MOOD_MEMORY * mood + (1 - MOOD_MEMORY) * user.nlu.sentiment
    texts = [message[4] for message in messages if message[4]]
    return {
        "id": conversation_id,
        "channel": storable(users[0].channel) if users else "",
        "started": min(event.timestamp for event in events),
        "time": max(event.timestamp for event in events),
        "text": texts[-1][:500] if texts else "",
        "turns": len(users),
        "fresh_mood": mood,
        "decay": MOOD_MEMORY ** len(users),
        "bookings": sum(isinstance(event, Booked) for event in events),
        "handed_off": any(isinstance(event, HandedOff) for event in events),
    }
