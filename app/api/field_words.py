"""What the fields of requests and answers mean, for the API's description: each has words, an
example and its limits, where its struct does not say them.

A field means the same wherever it has the same name; where it does not, `Struct.field` says so.
"""

from collections.abc import Mapping
from typing import Any

_A_TIME = "2026-11-23T18:00:00Z"
_EARLIER = "2026-11-23T08:12:47.511064Z"
_BOOKING = "booking_01JDBV5W3NXJ0V4M0F4Z1T7Q8K"
_IDS_OUTSIDE = {
    "words": "Ids of the confirmed bookings to come that lie outside now.",
    "is": [_BOOKING],
}

FIELDS: Mapping[str, Mapping[str, Any]] = {
    "active": {"words": "Whether it is in use.", "is": True},
    "allowOverlap": {"is": False},
    "amount": {"words": "With all decimals of its currency.", "is": "25.00"},
    "answer": {"is": "ok"},
    "answerUntil": {"is": _A_TIME},
    "attempts": {"words": "How many tries were begun.", "is": 1, "minimum": 0},
    "barberId": {"words": "A barber's id.", "is": "barber_1", "maxLength": 40},
    "barberIds": {"words": "Who does it: barbers' ids.", "is": ["barber_1", "barber_3"]},
    "bookingId": {"words": "The booking's id.", "is": _BOOKING},
    "body": {"is": "Hello Ana! …"},
    "bookingsOutside": _IDS_OUTSIDE,
    "by": {"words": "Who said it."},
    "canAnswer": {"is": True},
    "colour": {"words": "Of its bookings on the board.", "is": "teal"},
    "consent": {"is": True},
    "createdAt": {"words": "When it was made, in UTC.", "is": _EARLIER},
    "currency": {"words": "ISO 4217.", "is": "GBP", "minLength": 3, "maxLength": 3},
    "CustomerExport.bookings": {"words": "All of theirs, by their times."},
    "CustomerExport.messages": {"words": "What they were sent, with its text, by its time."},
    "CustomerExport.replies": {"words": "What they wrote, the oldest first."},
    "customerEmail": {"words": "The customer's email; null: none.", "maxLength": 254},
    "customerName": {"minLength": 1, "maxLength": 100},
    "deliveryStatus": {"words": "How far it came, in Twilio's word; null: not sent yet."},
    "email": {"words": "Of their latest booking; null: none.", "maxLength": 254},
    "endedAt": {"is": _A_TIME},
    "endsAt": {"words": "When it ends, in UTC.", "is": "2026-11-23T18:30:00Z"},
    "error": {
        "words": "In words why it failed or does not go out; null: all is well.",
        "is": "No WhatsApp on this number.",
    },
    "errorCode": {"words": "Twilio's; null: none."},
    "errors": {"words": "Each wrong field; empty if none is to blame.", "is": []},
    "expiresAt": {"is": "2027-11-23T00:00:00Z"},
    "failingSince": {"is": _A_TIME},
    "from": {"words": "When it begins.", "is": _A_TIME},
    "id": {"words": "It stays the same for ever."},
    "isOwn": {"words": "False for a barber who has the shop's hours.", "is": True},
    "items": {"words": "In the order that the call says."},
    "jobId": {"words": "The message's id, which is never used twice."},
    "kind": {"words": "Which kind of message."},
    "lastUsedAt": {"is": _A_TIME},
    "mergeWith": {"maxLength": 40},
    "minutes": {"minimum": 5, "maximum": 720},
    "name": {"words": "1 to 100 characters.", "is": "Ana Silva", "minLength": 1, "maxLength": 100},
    "nextAttemptAt": {"words": "When it is tried again; null: it is not.", "is": _A_TIME},
    "nextCursor": {
        "words": "The `cursor` of the next page; null on the last one.",
        "is": "MjAyNi0xMS0yM1QxODowMDowMCBib29raW5nXzAx",
    },
    "notes": {
        "words": "What staff want to remember; null: nothing.",
        "is": "Fade 1.5",
        "maxLength": 500,
    },
    "number": {"words": "From 1; never used twice."},
    "occurredAt": {"words": "When it happened, in UTC.", "is": _A_TIME},
    "optedOut": {"is": False},
    "outcome": {"is": "accepted"},
    "phone": {"words": "E.164.", "maxLength": 40},
    "price": {
        "words": "In the shop's currency; null: none.",
        "is": {"amount": "25.00", "currency": "GBP"},
    },
    "problem": {"is": "The address answered 500."},
    "receipts": {"is": []},
    "receivedAt": {"words": "When we heard of it, in UTC.", "is": _A_TIME},
    "repeats": {"is": "weekly"},
    "repeatsUntil": {
        "words": "The last day on which it repeats; null: for ever.",
        "is": "2026-12-31",
    },
    "revokedAt": {"words": "When it was revoked; null: it was not.", "is": _A_TIME},
    "scheduledFor": {"words": "When it is, or was, due, in UTC."},
    "scheduledTime": {"words": "When it begins, in UTC."},
    "sentAt": {"words": "When Twilio took it; null: it did not.", "is": _A_TIME},
    "sentTo": {"words": "The number, E.164."},
    "serviceId": {"words": "A service's id.", "is": "haircut", "maxLength": 40},
    "sid": {"is": "SM0123456789abcdef0123456789abcdef"},
    "startedAt": {"words": "When it was begun, in UTC.", "is": _A_TIME},
    "startsAt": {"words": "When it begins, in UTC.", "is": _A_TIME},
    "state": {"words": "How far it is."},
    "status": {"words": "What became of it."},
    "switchedOffAt": {"is": _A_TIME},
    "text": {"maxLength": 1600},
    "to": {"words": "When it ends.", "is": "2026-11-23T19:00:00Z"},
    "triedAt": {"words": "When it was last tried; null: not yet.", "is": _A_TIME},
    "type": {"words": "Which event."},
    "updatedAt": {"words": "When it last changed, in UTC.", "is": _EARLIER},
    "url": {"maxLength": 500},
    "WaitingAnswer.firstDay": {"words": "The first day that would do.", "is": "2026-11-24"},
    "WaitingAnswer.lastDay": {"words": "The last one.", "is": "2026-11-27"},
    "WaitingEntry.firstDay": {"words": "The first day that would do.", "is": "2026-11-24"},
    "WaitingEntry.lastDay": {"words": "The last one.", "is": "2026-11-27"},
    "WaitingPlace.scheduledTime": {"words": "When it begins.", "is": _A_TIME},
    "week": {"words": "The hours of each day; null: the shop's."},
    # What is another thing than elsewhere
    "Answer.status": {"words": "Whether it can do its work."},
    "AttemptAnswer.number": {"words": "From 1.", "is": 1},
    "BarberAnswer.active": {"words": "Whether they take new bookings.", "is": True},
    "BarberAnswer.id": {"is": "barber_1"},
    "BarberAnswer.name": {"is": "Sam"},
    "BarberChanges.active": {"words": "Whether they take new bookings.", "is": True},
    "BarberChanges.name": {"is": "Sam"},
    "BookingAnswer.price": {"is": {"amount": "25.00", "currency": "GBP"}},
    "BookingAnswer.status": {
        "words": "What became of it; who came is said once it has begun.",
        "is": "confirmed",
    },
    "Checks.database": {"words": "The database.", "is": "ok"},
    "Checks.disk": {"words": "Where Chairtime writes.", "is": "ok"},
    "Checks.queue": {"words": "Redis.", "is": "ok"},
    "Checks.sending": {"words": "Whether messages go out.", "is": "ok"},
    "Checks.worker": {"words": "The workers.", "is": "ok"},
    "ClosureAnswer.from": {"words": "The first day.", "is": "2026-12-25"},
    "ClosureAnswer.id": {"is": "closure_01JDBV5W3NXJ0V4M0F4Z1T7Q8K"},
    "ClosureAnswer.name": {"is": "Christmas"},
    "ClosureAnswer.to": {"words": "The last day.", "is": "2026-12-26"},
    "DeliveryAnswer.attempts": {"words": "How often it was tried.", "is": 1},
    "FieldProblem.field": {"words": "As the caller named it.", "is": "customerPhone"},
    "FieldProblem.message": {"words": "What is wrong with it.", "is": "This is missing."},
    "Health.problems": {"words": "In sentences what does not work.", "is": []},
    "Health.status": {"words": "`degraded`: bookings can be made all the same.", "is": "ok"},
    "HoursBody.from": {"is": "09:00"},
    "HoursBody.to": {"is": "19:00"},
    "LineAnswer.at": {"words": "When it was said, in UTC."},
    "LineAnswer.kind": {"is": "text"},
    "LineAnswer.state": {"is": "completed"},
    "MessageAnswer.attempts": {"is": []},
    "MessageAnswer.kind": {"is": "reminder"},
    "MessageAnswer.state": {"is": "completed"},
    "NewBarber.name": {"is": "Sam"},
    "NewService.name": {"is": "Haircut"},
    "Problem.detail": {"words": "What went wrong, in a sentence.", "is": "Some fields are wrong."},
    "Problem.instead": {"words": "What would be right, where that can be said.", "is": {}},
    "Problem.reason": {"words": "A short code of a 409 or a 503.", "is": "barber_taken"},
    "Problem.requestId": {
        "words": "Of a 500 or 503: it stands in the log.",
        "is": "5f0c6b8a9d1e4f7ab2c3d4e5f6a7b8c9",
    },
    "Problem.status": {"words": "The HTTP status.", "is": 422},
    "Problem.title": {"words": "The status in words.", "is": "Unprocessable Entity"},
    "Problem.type": {"words": "Says no more than the status.", "is": "about:blank"},
    "QueueStats.active": {"words": "Messages that are being sent or looked up.", "is": 0},
    "QueueStats.completed": {"words": "Messages that were sent.", "is": 1204},
    "QueueStats.delayed": {"words": "Messages that are due later.", "is": 31},
    "QueueStats.failed": {"words": "Messages that failed, and that nobody dismissed.", "is": 2},
    "QueueStats.oldestDueSeconds": {"words": "For how long the oldest has been due.", "is": 0},
    "QueueStats.waiting": {"words": "Messages that are due.", "is": 0},
    "ReminderAnswer.attempts": {"is": 0},
    "ReminderAnswer.state": {"is": "delayed"},
    "ReplyAnswer.needsAttention": {"is": False},
    "ReplyAnswer.kind": {"words": "What they sent.", "is": "text"},
    "ServiceAnswer.active": {"words": "Whether it is offered for new bookings.", "is": True},
    "ServiceAnswer.id": {"is": "haircut"},
    "ServiceAnswer.name": {"is": "Haircut"},
    "ServiceChanges.active": {"words": "Whether it is offered for new bookings.", "is": True},
    "ServiceChanges.name": {"is": "Haircut"},
    "SettingsAnswer.name": {"is": "The Chair"},
    "DeliveryAnswer.state": {"is": "delivered"},
    "AbsenceAnswer.id": {"is": "absence_01JDBV5W3NXJ0V4M0F4Z1T7Q8K"},
    "AbsenceAnswer.name": {"is": "Lunch"},
}


def of(struct: str, field: str) -> dict[str, Any]:
    """What is to be said of a field besides what its struct says: keywords of JSON Schema."""
    parent = {"Made": "Answer"}.get(struct[-4:])  # what is made is answered with more fields
    named = f"{struct[:-4]}{parent}" if parent else struct
    own = FIELDS.get(f"{struct}.{field}") or FIELDS.get(f"{named}.{field}") or {}
    found = {**FIELDS.get(field, {}), **own}
    if "words" in found:
        found["description"] = found.pop("words")
    if "is" in found:
        found["examples"] = [found.pop("is")]
    return found
