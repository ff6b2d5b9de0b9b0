"""A customer's message out of what Twilio's webhook says."""

import pytest

from app.whatsapp import incoming


@pytest.mark.parametrize(
    ("sender", "kept"),
    [
        ("whatsapp:+12025550100", "+12025550100"),
        ("whatsapp:US.13491208655302741918", "whatsapp:US.13491208655302741918"),
        ("whatsapp:", "whatsapp:"),
        ("whatsapp:+12", "whatsapp:+12"),
        ("whatsapp:\x00💈\n", "whatsapp:💈"),
        ("x" * 500, "x" * 64),
        ("?", "?"),
    ],
)
def test_a_sender_of_any_kind_and_length_can_be_kept(sender: str, kept: str) -> None:
    assert incoming.of_form({"MessageSid": "SM1", "From": sender}).sender == kept


def test_the_number_that_is_told_beside_an_id_is_a_number() -> None:
    form = {"MessageSid": "SM1", "From": "whatsapp:MX.1", "WaId": "5215587654321"}
    assert incoming.of_form(form).number == "+5215587654321"
    assert incoming.of_form({**form, "WaId": "0"}).number is None
