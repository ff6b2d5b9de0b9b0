"""The order of Twilio's delivery statuses."""

import pytest

from app.messages.receipt_ranks import NOT_DELIVERED, RANKS, rank_of


def test_statuses_rise_from_accepted_to_read_and_a_failure_is_between_sent_and_delivered() -> None:
    rising = ["accepted", "sending", "sent", "failed", "delivered", "read"]

    assert sorted(RANKS, key=rank_of)[:3] == ["accepted", "scheduled", "queued"]
    assert sorted(rising, key=rank_of) == rising
    assert rank_of("undelivered") == rank_of("failed") == NOT_DELIVERED


@pytest.mark.parametrize("status", [None, "", "received", "partially_delivered", "SENT"])
def test_what_is_no_status_of_an_outgoing_message_has_no_rank(status: str | None) -> None:
    assert rank_of(status) == 0
