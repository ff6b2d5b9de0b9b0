"""Times of a shop's own, as they are typed and as they read."""

import pytest

from app.shop import own_times


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("3 days, 1 day and 90 minutes", "3 days, 1 day, 90 minutes"),
        ("2h; 1D\n24 hours", "1 day, 2 hours"),
        ("1w,1 min", "1 week, 1 minute"),
    ],
)
def test_times_are_read_in_any_usual_spelling_and_shown_in_one(typed: str, words: str) -> None:
    read = own_times.read(typed)
    assert own_times.words(read) == words
    assert own_times.read(words) == read == tuple(sorted(read, reverse=True))
    seconds = own_times.of_seconds(round(each.total_seconds()) for each in read)
    assert own_times.words(own_times.read(seconds)) == words


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("", "such as 3 days"),
        (", and", "such as 3 days"),
        ("soon", "“soon” is no time"),
        (own_times.of_seconds([90]), "“90 seconds” is no time"),
        ("1.5 days", "“1.5 days” is no time"),
        ("-1 day", "is no time"),
        ("0 minutes", "from 1 minute to 366 days"),
        ("367 days", "from 1 minute to 366 days"),
        (",".join(f"{hours}h" for hours in range(1, 12)), "has 11 times: 10"),
    ],
)
def test_what_is_no_time_is_said(typed: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        own_times.read(typed)
