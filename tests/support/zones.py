"""Days on which clocks are changed: by an hour, by half an hour, at midnight."""

from datetime import date, timedelta

from hypothesis import strategies as st

CHANGES = [
    # zone, day on which its clock leaps forward, or shows some times twice
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Europe/Berlin", date(2027, 3, 28)),
    ("Europe/London", date(2027, 10, 31)),
    ("America/New_York", date(2027, 3, 14)),
    ("America/New_York", date(2027, 11, 7)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),  # 02:00 → 01:30
    ("Australia/Lord_Howe", date(2027, 10, 3)),  # 02:00 → 02:30
    ("America/Santiago", date(2027, 4, 3)),  # 24:00 → 23:00
    ("America/Santiago", date(2027, 9, 5)),  # 00:00 → 01:00
    ("America/Asuncion", date(2024, 3, 23)),  # 24:00 → 23:00
    ("America/Asuncion", date(2024, 10, 6)),  # 00:00 → 01:00, for the last time
    ("Africa/Cairo", date(2027, 4, 30)),  # 00:00 → 01:00
    ("Africa/Cairo", date(2027, 10, 28)),  # 24:00 → 23:00
    ("America/Havana", date(2027, 3, 14)),  # 00:00 → 01:00
    ("America/Havana", date(2027, 11, 7)),  # 01:00 → 00:00
    ("Atlantic/Azores", date(2026, 10, 25)),  # 01:00 → 00:00
    ("Asia/Kathmandu", date(2027, 3, 28)),  # never; 5 h 45 min from UTC
]


def days_near_a_change(since: date = date.min) -> st.SearchStrategy[tuple[str, date]]:
    """A zone, and a day at most one away from a change of its clock."""
    changes = [change for change in CHANGES if change[1] > since]
    away = st.integers(-1, 1).map(lambda days: timedelta(days=days))
    return st.tuples(st.sampled_from(changes), away).map(
        lambda both: (both[0][0], both[0][1] + both[1])
    )
