"""What customers ask for in their own words."""

from datetime import time, timedelta

import pytest

from app.conversations.wishes import Wish, wish_of

CANCEL = Wish("cancel")
AN_HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("body", "wish"),
    [
        ("Please cancel my appointment, I am ill", CANCEL),
        ("sorry, I can't make it tomorrow", CANCEL),
        ("I cannot come 😢", CANCEL),
        ("Bitte stornieren, danke", CANCEL),
        ("Could we come at 17:30 instead? Nils has football", Wish("move", (time(17, 30),))),
        ("is 5.30 pm possible", Wish("move", (time(17, 30),))),
        ("Can I come at 5pm?", Wish("move", (time(17),))),
        ("12 am instead?", Wish("move", (time(0),))),
        ("9:15 instead?", Wish("move", (time(9, 15), time(21, 15)))),
        ("Can I come an hour later instead?", Wish("move", by=AN_HOUR)),
        ("half an hour earlier?", Wish("move", by=-AN_HOUR / 2)),
        ("30 minutes later would be great", Wish("move", by=AN_HOUR / 2)),
        ("I can't make 17:30, 18:00 instead?", None),
        ("Please don't cancel!", None),
        ("no need to cancel, I will come", None),
        ("I will be there at 17:25", None),
        ("Is there parking near you?", None),
        ("My number is 0171 23.45.67?", None),
        ("", None),
        ("cancel " * 100, None),
    ],
)
def test_what_is_asked_for(body: str, wish: Wish | None) -> None:
    assert wish_of(body, "stornieren, absagen") == wish
