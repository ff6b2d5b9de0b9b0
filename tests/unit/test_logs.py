"""The log: what it is about, as JSON or as text, and without phone numbers."""

import json
import logging
import sys
from typing import Any

import pytest

from app import logs
from app.run import up


def line(monkeypatch: pytest.MonkeyPatch, format: str, message: str, *args: object) -> str:
    """What is written of a record with the exception that is handled now, if any."""
    monkeypatch.setenv("LOG_FORMAT", format)
    error = sys.exc_info()
    record = logging.LogRecord(
        "app.messages.delivery", logging.WARNING, "delivery.py", 7, message, args,
        error if error[0] else None,
    )  # fmt: skip
    logs.About().filter(record)
    return logs.Formatter().format(record)


def test_a_line_of_json_has_what_it_is_about_and_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with logs.about(request_id="r-1"), logs.about(job_id="booking_1-reminder-2"):
        try:
            raise ValueError("To=whatsapp:+447700900123")
        except ValueError:
            text = line(monkeypatch, "json", "sent to %s", "+447700900123")
    assert "\n" not in text
    fields: dict[str, Any] = json.loads(text)
    assert fields["time"].endswith("Z")
    expected = {
        "level": "WARNING", "logger": "app.messages.delivery", "message": "sent to •••23",
        "request_id": "r-1", "job_id": "booking_1-reminder-2",
    }  # fmt: skip
    assert expected.items() <= fields.items()
    assert fields["exception"].endswith("ValueError: To=whatsapp:•••23")
    assert logs.what() == {}


def test_text_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert line(monkeypatch, "", "hello") == "[WARNING] app.messages.delivery: hello"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to +447700900123: failed", "to •••23: failed"),
        ("whatsapp:+14155238886", "whatsapp:•••86"),
        ("q=%2B447700900123&limit=1", "q=•••23&limit=1"),
        ("Key (phone)=(+44 20 7946 0958)", "Key (phone)=(•••58)"),
        ("+49 (0)170 1234567", "•••67"),
        ("wa_id 447700900123.", "wa_id •••23."),
    ],
)
def test_of_a_phone_number_its_last_two_digits_are_logged(text: str, shown: str) -> None:
    assert logs.masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T00:00:00+00:00",
        "[2026-11-29 23:22:33 +0000] [12345]",
        "booking_01JDBV5W3NXJ0V4M0F4Z1T7Q8K-reminder-1",
        "SM0123456789abcdef0123456789abcdef",
        "192.168.100.100:45678",
        "error 63038, process 1234567",
    ],
)
def test_what_is_no_number_of_a_phone_stays(text: str) -> None:
    assert logs.masked(text) == text


def test_up_tells_whose_line_it_is_in_either_format(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    up.say("web", "hello")
    monkeypatch.setenv("LOG_FORMAT", "json")
    up.say("web", '{"message": "as it is"}')
    up.say("web", "hello")
    plain, *both = capsys.readouterr().out.splitlines()
    assert plain == "web | hello"
    assert [json.loads(each)["message"] for each in both] == ["as it is", "hello"]
    assert json.loads(both[1])["logger"] == "web"


def test_an_example_to_be_copied_is_shown_whole_and_what_a_program_says_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    for name in ("", "web"):
        up.say(name, "curl -d '+12025550123'")
    told = [json.loads(each)["message"] for each in capsys.readouterr().out.splitlines()]
    assert told == ["curl -d '+12025550123'", "curl -d '•••23'"]


def test_the_configuration_is_one_that_python_takes() -> None:
    before = logging.getLogger().handlers[:]
    try:
        logs.set_up()
        [handler] = logging.getLogger().handlers
        assert isinstance(handler.formatter, logs.Formatter)
    finally:
        logging.getLogger().handlers[:] = before
