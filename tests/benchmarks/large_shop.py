"""A shop with years behind it, written into PostgreSQL: 200,000 bookings, 2,000,000 reminders.

Eight barbers with a booking each half hour of an eight-hour day; 30 days of it are still to come.
Each booking has a reminder every two hours of the 20 before it; those to come are in plans. Of
those whose time has passed nearly all were sent; the attempts of the last 100 days are kept, as are
the names of all. Of every tenth booking there is a reply, and a few of these nobody has looked
after.
"""

from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

from app.db import Base
from app.models import folding

BOOKINGS = 200_000
REMINDERS = 10  # of each booking
FAILED_EACH = 100  # of how many messages one failed

_NOW = "CAST(:now AS timestamptz)"
_PER_DAY = 128
_COMING = 30 * _PER_DAY
_WITH_ATTEMPTS = 100 * _PER_DAY

_NAMES = """
    ARRAY['Ada','Bilal','Chiara','Diego','Emma','Femi','Grace','Hiro','Ines','Jonas','Kofi','Léa',
      'Mateusz','Nadia','Omar','Priya','Quinn','Rosa','Søren','Tom','Uma','Viktor','Wen','Zoë']
"""
_SURNAMES = """
    ARRAY['Lovelace','Haddad','Ferri','Morales','Lindqvist','Adeyemi','Oliveira','Tanaka','Carvalho',
      'Weber','Mensah','Dubois','Nowak','Petrova','Farouk','Nair','Baker','Jiménez','Holm',
      'Ashworth','Krishnan','Novák','Li','Roux','Khalil','Ångström','Obermüller-Weiß','Castellanos']
"""

_NAME = f"({_NAMES})[1 + n % 24] || ' ' || ({_SURNAMES})[1 + (n / 24) % 28]"
_FOLDED = folding.fold(_NAME)
_PHONE = "'+4477009' || lpad((n % 9973)::text, 5, '0')"  # it has one spelling

# The day of booking number n, counted back from the last one, and its place in that day.
_STARTS_AT = f"""
    date_trunc('day', now()) + (30 - (n / {_PER_DAY})) * interval '1 day'
      + interval '9 hours' + (n % 16) * interval '30 minutes'
"""

_BOOKINGS = f"""
    INSERT INTO booking (id, customer_name, name_folded, customer_phone, person, spellings,
      service_id, barber_id, starts_at, ends_at, busy_from, busy_until, status, created_at,
      updated_at)
    SELECT 'booking_' || lpad(n::text, 26, '0'), {_NAME}, {_FOLDED}, {_PHONE}, {_PHONE}, {_PHONE},
      'haircut', 'barber_' || (1 + (n % {_PER_DAY}) / 16), at, at + interval '30 minutes',
      at, at + interval '30 minutes',
      CASE WHEN n % 12 = 0 THEN 'cancelled' WHEN at > now() THEN 'confirmed'
        WHEN n % 25 = 0 THEN 'no_show' ELSE 'completed' END,
      at - interval '20 hours', at - interval '20 hours'
    FROM generate_series(0, :bookings - 1) AS n, LATERAL (SELECT {_STARTS_AT} AS at) AS _
"""

_MESSAGES = f"""
    INSERT INTO message (id, booking_id, kind, number, state, planned_for, due_at, reason, attempts,
      tries, checks, asks, verify_first, doubled, asked_for, sid, sent_at, delivery_status,
      delivery_rank, error_code, updated_at)
    SELECT id || '-reminder-' || turn, id, 'reminder', turn, state, due, due,
      CASE state WHEN 'failed' THEN 'refused' WHEN 'cancelled' THEN 'booking_cancelled'
        WHEN 'skipped' THEN 'superseded' END,
      (state IN ('sent', 'failed'))::int, (state IN ('sent', 'failed'))::int, 0, 0,
      false, false, false,
      CASE WHEN state = 'sent' THEN 'SM' || md5(id || turn) END,
      CASE WHEN state = 'sent' THEN due + interval '1 second' END,
      CASE WHEN state = 'sent' THEN 'read' END, CASE WHEN state = 'sent' THEN 4 ELSE 0 END,
      CASE WHEN state = 'failed' THEN '63024' END, least(due, now() - interval '1 minute')
    FROM (
      SELECT id, turn, due, CASE
          WHEN status = 'cancelled' THEN 'cancelled'
          WHEN due > now() THEN 'pending'
          WHEN (n * 13 + turn) % {FAILED_EACH} = 0 THEN 'failed'
          WHEN (n + turn) % 40 = 0 THEN 'skipped'
          ELSE 'sent' END AS state
      FROM (
        SELECT id, status, turn, substr(id, 9)::int AS n,
          starts_at - ({REMINDERS} - turn) * interval '2 hours' - interval '1 hour' AS due
        FROM booking, generate_series(1, {REMINDERS}) AS turn
      ) AS planned WHERE due <= now()
    ) AS told
"""

_PLANS = f"""
    INSERT INTO plan (booking_id, first_number, first_at, every, count, next_number, next_at,
      to_come, made_at, ended_at, reason)
    SELECT id, 1, first_at, 7200, {REMINDERS}, 1 + done,
      CASE WHEN is_open THEN first_at + done * interval '2 hours' END,
      CASE WHEN is_open THEN {REMINDERS} - done ELSE 0 END,
      created_at, CASE WHEN status = 'cancelled' THEN updated_at END,
      CASE WHEN status = 'cancelled' THEN 'booking_cancelled' END
    FROM booking,
      LATERAL (SELECT starts_at - ({REMINDERS} * 2 - 1) * interval '1 hour' AS first_at) AS a,
      LATERAL (SELECT least({REMINDERS}, greatest(0,
        1 + floor(extract(epoch FROM now() - first_at) / 7200)))::int AS done) AS b,
      LATERAL (SELECT status = 'confirmed' AND done < {REMINDERS} AS is_open) AS c
"""

_MARKED = """
    UPDATE booking SET reminders_sent = (SELECT count(*) FROM message
      WHERE booking_id = booking.id AND kind = 'reminder' AND message.state = 'sent')
    WHERE status IN ('completed', 'no_show')
"""

_ATTEMPTS = f"""
    INSERT INTO attempt (id, message_id, number, sent_to, body, started_at, ended_at, outcome, sid)
    SELECT gen_random_uuid(), m.id, 1, b.customer_phone, repeat('Hello! ', 40), m.due_at,
      m.sent_at, CASE WHEN m.sid IS NULL THEN 'refused' ELSE 'accepted' END, m.sid
    FROM message AS m JOIN booking AS b ON b.id = m.booking_id
    WHERE m.attempts = 1 AND b.starts_at > now() - {_WITH_ATTEMPTS // _PER_DAY} * interval '1 day'
"""

_RECEIPTS = """
    INSERT INTO receipt (attempt_id, callback_id, sid, status, error_code, received_at)
    SELECT id, id, sid, status, '', ended_at FROM attempt,
      unnest(ARRAY['sent', 'delivered', 'read']) AS status WHERE sid IS NOT NULL
"""

_EVENTS = """
    INSERT INTO audit_event (at, actor, action, subject, details)
    SELECT created_at, 'system', 'booking.created', id, '{}' FROM booking
"""

_REPLIES = """
    INSERT INTO reply (sid, sender, person, kind, body, media, received_at, effect, booking_id,
      needs_attention, updated_at)
    SELECT 'SM' || md5(id), customer_phone, person, 'text', 'Is there parking?', 0, created_at,
      'for_staff', id,
      substr(id, 9)::int % 10000 = 0, created_at
    FROM booking WHERE substr(id, 9)::int % 10 = 0
"""

_COUNTED = """
    INSERT INTO daily_sent (day, messages)
    SELECT (sent_at AT TIME ZONE 'UTC')::date, count(*) FROM message WHERE state = 'sent' GROUP BY 1
"""

_BARBERS = """
    INSERT INTO barber (id, name, position, active)
    SELECT 'barber_' || n, 'Barber ' || n, n, true FROM generate_series(1, 8) AS n
    ON CONFLICT DO NOTHING
"""


_STORIES = (_MARKED, _ATTEMPTS, _RECEIPTS, _EVENTS, _REPLIES, _COUNTED)


def fill(engine: Engine, bookings: int = BOOKINGS, now: datetime | None = None) -> None:
    """Write it all into a migrated database, and let PostgreSQL look at it as autovacuum would.

    With fewer bookings the shop is younger: what is still to come is the same. `now` is aware; it
    is what time it is in the shop.
    """
    given = {"bookings": bookings, "now": now or datetime.now(UTC)}
    with engine.begin() as connection:
        indexes = _without_indexes(connection, "message")
        for statement in (_BARBERS, _BOOKINGS, _PLANS, _MESSAGES, *indexes, *_STORIES):
            connection.execute(text(statement.replace("now()", _NOW)), given)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def copy(source: Engine, target: Engine) -> None:
    """Write what one migrated database holds into another, which may be of another kind."""
    with source.connect() as reading, target.begin() as writing:
        for table in reversed(Base.metadata.sorted_tables):
            writing.execute(table.delete())
        for table in Base.metadata.sorted_tables:
            for rows in reading.execute(table.select()).mappings().partitions(10_000):
                writing.execute(table.insert(), [dict(row) for row in rows])
        writing.execute(text("ANALYZE"))


def _without_indexes(connection: Connection, table: str) -> list[str]:
    """Drop the indexes of `table`, and return what makes them again: so it is twice as quick."""
    query = """
        SELECT indexname, indexdef FROM pg_indexes WHERE tablename = :table
          AND indexname NOT IN (SELECT conname FROM pg_constraint)
    """
    indexes = connection.execute(text(query), {"table": table}).all()
    for name, _ in indexes:
        connection.execute(text(f"DROP INDEX {name}"))
    return [definition for _, definition in indexes]
