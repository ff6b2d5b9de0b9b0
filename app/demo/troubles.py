"""What goes wrong in the shop of `chairtime demo`: each time with another customer's reminder."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from app.demo.builder import Appointment, DemoBuilder
from app.messages.lifecycle import outcomes
from app.whatsapp.outcome import failure

_FAR = timedelta(hours=2)
_LOOKED_UP_IN = timedelta(minutes=10)


def happen(builder: DemoBuilder, appointments: Sequence[Appointment]) -> set[str]:
    """Put troubles on the agenda; returns the numbers of the customers who meet them.

    Each is of the last reminder so far of a booking, the latest first, of somebody of whom nothing
    else is told after it. What no booking fits to is left out.
    """
    able = [each for each in appointments if len(each.reminded_at) > 1 and not each.is_cancelled]
    able.sort(key=lambda each: each.reminded_at[-1], reverse=True)
    ahead = [each for each in able if each.starts_at > builder.now + _FAR]
    begun = [each for each in able if each.starts_at <= builder.now]
    met: set[str] = set()
    for bookings, troubles in ((ahead, _AHEAD), (begun, _BEGUN)):
        for fits, trouble in troubles:
            for one in bookings:
                at = one.reminded_at[-1]
                if fits(builder.now - at) and not _is_told_later(one, appointments, met):
                    met.add(one.phone)
                    builder.at(at, partial(trouble, builder, one))
                    break
    return met


def _is_told_later(one: Appointment, appointments: Sequence[Appointment], met: set[str]) -> bool:
    return one.phone in met or any(
        each.phone == one.phone and each.is_cancelled and each.ended_at > one.reminded_at[-1]
        for each in appointments
    )


def _is_looked_up(builder: DemoBuilder, one: Appointment) -> None:
    message_id = builder.reminder(one)
    builder.send(message_id, failure("no_answer"))
    outcomes.check_again(builder.session, message_id, builder.now + _LOOKED_UP_IN, 0)


def _is_tried_again(builder: DemoBuilder, one: Appointment) -> None:
    due = builder.send(builder.reminder(one), failure("unreachable"))
    if due is not None and due <= builder.now:
        builder.at(due, partial(_is_tried_again, builder, one))


def _is_refused(builder: DemoBuilder, one: Appointment) -> None:
    builder.send(builder.reminder(one), failure("63024"))


def _is_withheld(builder: DemoBuilder, one: Appointment) -> None:
    builder.send(builder.reminder(one), statuses=("sent", "undelivered"))


def _comes_too_late(builder: DemoBuilder, one: Appointment) -> None:
    """The one before, while no worker ran."""
    builder.send(builder.reminder(one, -2))


def _any(_: timedelta) -> bool:
    return True


def _is_still_tried(age: timedelta) -> bool:
    """After the fifth try, and well before the sixth and last."""
    return timedelta(minutes=15) < age < timedelta(minutes=55)


def _is_given_up(age: timedelta) -> bool:
    return age > timedelta(minutes=70)


_Troubles = Sequence[tuple[Callable[[timedelta], bool], Callable[[DemoBuilder, Appointment], None]]]
"""How old a reminder must be, and what it meets."""
_AHEAD: _Troubles = (
    (_any, _is_looked_up),
    (_is_still_tried, _is_tried_again),
    (_is_given_up, _is_tried_again),
    (_any, _is_refused),
    (_any, _is_withheld),
    (_any, _comes_too_late),
)
_BEGUN: _Troubles = (
    (_is_given_up, _is_tried_again),
    (_any, _is_refused),
    (_any, _is_withheld),
    (_any, _comes_too_late),
)
