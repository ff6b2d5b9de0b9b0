"""The words of a message: the two texts, placeholders, values, dates and durations."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from babel import UnknownLocaleError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.messages.languages import ENGLISH
from app.messages.texts import (
    MAX_TEXT,
    MAX_VALUE,
    PLACEHOLDERS,
    TextError,
    check_text,
    clean_value,
    first_name,
    format_date_time,
    placeholders,
    render,
    time_until,
)

SIX_PM = datetime(2026, 11, 23, 18, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
VALUES = {
    "customerName": "Luis Ortega",
    "formattedDateTime": "Monday, 23 November 2026 at 18:00",
    "serviceName": "Cut + shave",
    "barberName": "Sam",
    "timeUntil": "4 hours",
    "shopName": "Fade & Co",
    "firstName": "Luis",
}

# --- the texts ---


def test_the_reminder_text_is_exact():
    assert render(ENGLISH.texts["reminder"], VALUES) == (
        "Hello Luis! 👋\n"
        "\n"
        "This is a reminder about your upcoming appointment.\n"
        "\n"
        "📅 Date & Time: Monday, 23 November 2026 at 18:00\n"
        "✂️ Service: Cut + shave\n"
        "💈 Barber: Sam\n"
        "\n"
        "⏰ Your appointment is in 4 hours\n"
        "\n"
        "Please arrive 5-10 minutes early.\n"
        "Reply CANCEL to cancel this appointment.\n"
        "\n"
        "We look forward to seeing you! 💯"
    )


def test_the_cancellation_text_is_exact():
    assert render(ENGLISH.texts["cancellation"], VALUES) == (
        "Hello Luis,\n"
        "\n"
        "Your appointment scheduled for Monday, 23 November 2026 at 18:00 has been cancelled.\n"
        "\n"
        "If this was a mistake, please contact us to reschedule.\n"
        "\n"
        "Thank you! 🙏"
    )


def test_our_own_texts_pass_the_check_and_fit_with_the_longest_values():
    longest = dict.fromkeys(PLACEHOLDERS, "x" * MAX_VALUE)
    for text in (ENGLISH.texts["reminder"], ENGLISH.texts["cancellation"]):
        check_text(text)
        assert len(render(text, longest)) <= MAX_TEXT


def test_the_placeholders_of_a_text_are_found_once_each():
    assert placeholders(ENGLISH.texts["reminder"]) == set(PLACEHOLDERS) - {
        "shopName",
        "customerName",
    }
    assert placeholders("{customerName} {customerName} {nme} {}") == {"customerName", "nme"}
    assert placeholders("See you!") == set()


# --- what staff may write ---


@pytest.mark.parametrize("text", ["", "   ", "\n\n"])
def test_an_empty_text_is_refused(text: str):
    with pytest.raises(TextError, match="empty"):
        check_text(text)


def test_a_text_may_be_1024_characters_long_and_not_one_more():
    check_text("x" * 1024)
    with pytest.raises(TextError, match="1025 characters; WhatsApp takes 1024") as refused:
        check_text("x" * 1025)
    assert (refused.value.position, refused.value.length) == (1024, 1)


def test_a_text_that_is_too_long_only_with_the_longest_names_is_refused_too():
    check_text("x" * 904 + "{customerName}")
    with pytest.raises(TextError, match=r"longest names .* 1025 characters.* Take out 1"):
        check_text("x" * 905 + "{customerName}")


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("Hi {name}!", 3, r"\{name\} is not a placeholder.*\(line 1, character 4\)"),
        ("Hi\n{customername}", 3, r"\{customername\}.*\(line 2, character 1\)"),
        ("{customerName} {{barberName}}", 15, "Braces belong.*character 16"),
        ("{}", 0, "is not a placeholder"),
        ("{ customerName }", 0, "is not a placeholder"),
        ("{customerName.__class__}", 0, "is not a placeholder"),
        ("{customerName!r:>100000000}", 0, "is not a placeholder"),
        ("{customerName", 0, "Braces belong"),
        ("{customer\nName}", 0, "Braces belong"),
        ("customerName}", 12, "Braces belong"),
        ("{{ 'x' * 10**9 }}", 0, "Braces belong"),
        ("Hi\x00", 2, "cannot be sent"),
        ("Hi\ud800", 2, "cannot be sent"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, position: int, words: str):
    with pytest.raises(TextError, match=words) as refused:
        check_text(text)
    assert refused.value.position == position


def test_line_ends_tabs_and_template_signs_are_plain_text():
    check_text("Hi {customerName}\r\n\t50% off: $5 %s <b>&amp;</b> [x] `y` \\n")


# --- filling in ---


def test_values_are_put_in_once_and_braces_within_them_stay():
    text = render(
        "{customerName} {barberName}", {"customerName": "{barberName}", "barberName": "{x}"}
    )
    assert text == "{barberName} {x}"


def test_a_value_is_never_read_as_a_pattern():
    assert render("{shopName}", {"shopName": r"\1 \g<0> {0} %s"}) == r"\1 \g<0> {0} %s"


def test_a_placeholder_without_a_value_is_an_error_and_not_sent_as_it_is():
    without = {name: value for name, value in VALUES.items() if name != "timeUntil"}
    with pytest.raises(TextError, match=r"no value for \{timeUntil\} \(line 9, character 26\)"):
        render(ENGLISH.texts["reminder"], without)


@settings(max_examples=150)
@given(st.text(max_size=60), st.text(max_size=60))
def test_filling_in_changes_nothing_but_the_placeholder(before: str, value: str):
    text = before.replace("{", "(") + "{customerName}"
    assert render(text, {"customerName": value}) == text.removesuffix("{customerName}") + value


# --- values ---

FAMILY = "👨‍👩‍👧"
HIDDEN = "\x00\x07\x1b\x7f\x9f\u00ad\u034f\u061c\u200b\u200e\u200f\u202e\u2060\u2066\ufeff\ud800"


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ("Luis Ortega", "Luis Ortega"),
        ("  Luis \t\r\n  Ortega\u2028", "Luis Ortega"),
        ("Luis\u00a0\u202f\u3000\u3164Ortega", "Luis Ortega"),
        ("Jose\u0301", "José"),
        ("e\u200d\u0301", "é"),
        ("\u202eagetrO siuL", "agetrO siuL"),
        (f"Lu{HIDDEN}is", "Luis"),
        ("pay\u200dpal\u200c", "paypal"),
        (f"Ann {FAMILY}", f"Ann {FAMILY}"),
        ("❤️‍🔥 👩🏽‍🦰 👨‍⚕️", "❤️‍🔥 👩🏽‍🦰 👨‍⚕️"),
        ("علی‌رضا", "علی‌رضا"),
        ("ශ්‍රී", "ශ්‍රී"),
        ("<b>{customerName}</b>", "<b>{customerName}</b>"),
        ("🎉", "🎉"),
        ("x" * 121, "x" * 120),
        ("x" * 119 + " y", "x" * 119),
        ("x" * 118 + FAMILY, "x" * 118 + "👨"),
    ],
)
def test_a_name_becomes_one_visible_line(value: str, clean: str):
    assert clean_value(value, "there") == clean


@pytest.mark.parametrize("value", ["", "  ", "\n", "\u200b", "\u3164", "\ufe0f", "\u0301", HIDDEN])
def test_a_name_with_nothing_to_see_becomes_the_default(value: str):
    assert clean_value(value, "there") == "there"


MARKS = "\ufe0f\u0301\u0316\u093c\u094d\u0654🏽"
AWKWARD = HIDDEN + MARKS + "\u200c\u200d \n\t\u2800\u3164क😀↚"
awkward = st.text(st.characters() | st.sampled_from(AWKWARD), max_size=200)


@settings(max_examples=400)
@given(awkward)
@example("क\u200d\u0654\u200d\u0316")
@example("😀\u200d\u2800 😀\u200e\u200d😀")
@example("x" * 119 + FAMILY)
def test_a_clean_value_is_short_visible_normal_and_stays_as_it_is(value: str):
    clean = clean_value(value, "there")
    assert 0 < len(clean) <= MAX_VALUE
    assert clean_value(clean, "there") == clean
    assert unicodedata.is_normalized("NFC", clean)
    assert clean == " ".join(clean.split())
    assert not set(HIDDEN) & set(clean)
    clean.encode()


# --- dates ---


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en_US", "Monday, November 23, 2026 at 6:00 PM"),
        ("en-US", "Monday, November 23, 2026 at 6:00 PM"),
        ("en_GB", "Monday, 23 November 2026 at 18:00"),
        ("de", "Montag, 23. November 2026 um 18:00"),
        ("es", "lunes, 23 de noviembre de 2026, 18:00"),
        ("fr", "lundi 23 novembre 2026 à 18:00"),
        ("ja", "2026年11月23日月曜日 18:00"),
    ],
)
def test_the_locale_decides_the_words_and_the_clock(locale: str, words: str):
    assert format_date_time(SIX_PM, LONDON, locale) == words


def test_the_time_is_the_shops_own_in_summer_too_and_may_be_another_day():
    summer = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)
    assert format_date_time(summer, LONDON, "en_GB") == "Thursday, 2 July 2026 at 00:30"
    kiritimati = format_date_time(SIX_PM, ZoneInfo("Pacific/Kiritimati"), "en_GB")
    assert kiritimati == "Tuesday, 24 November 2026 at 08:00"


@pytest.mark.parametrize(
    ("zone", "at", "words"),
    [
        ("Europe/London", "2027-10-31T00:30Z", "Sunday, 31 October 2027 at 01:30 BST"),
        ("Europe/London", "2027-10-31T01:30Z", "Sunday, 31 October 2027 at 01:30 GMT"),
        ("Europe/London", "2027-10-31T02:30Z", "Sunday, 31 October 2027 at 02:30"),
        ("America/Santiago", "2027-04-04T03:30Z", "Saturday, 3 April 2027 at 23:30 UTC-04"),
    ],
)
def test_a_customer_reads_which_of_two_same_times_it_is(zone: str, at: str, words: str):
    assert format_date_time(datetime.fromisoformat(at), ZoneInfo(zone), "en_GB") == words


def test_an_unknown_locale_is_refused():
    with pytest.raises(UnknownLocaleError):
        format_date_time(SIX_PM, LONDON, "xx_YY")
    with pytest.raises(ValueError, match="expected only letters"):
        format_date_time(SIX_PM, LONDON, "?")


# --- how long until ---


def until(locale: str = "en_US", **lead: float) -> str:
    return time_until(SIX_PM, SIX_PM + timedelta(**lead), locale)


@pytest.mark.parametrize(
    ("lead", "words"),
    [
        ({"days": -1}, "less than a minute"),
        ({"seconds": 0}, "less than a minute"),
        ({"seconds": 59.9}, "less than a minute"),
        ({"seconds": 60}, "1 minute"),
        ({"seconds": 89}, "1 minute"),
        ({"seconds": 90}, "2 minutes"),
        ({"minutes": 59}, "59 minutes"),
        ({"minutes": 59, "seconds": 29}, "59 minutes"),
        ({"minutes": 59, "seconds": 30}, "1 hour"),
        ({"hours": 1, "minutes": 1}, "1 hour 1 minute"),
        ({"hours": 1, "minutes": 30}, "1 hour 30 minutes"),
        ({"hours": 1, "minutes": 59, "seconds": 29}, "1 hour 59 minutes"),
        ({"hours": 1, "minutes": 59, "seconds": 58}, "2 hours"),
        ({"hours": 2, "minutes": 2}, "2 hours"),
        ({"hours": 2, "minutes": 3}, "2 hours 5 minutes"),
        ({"hours": 4}, "4 hours"),
        ({"hours": 23, "minutes": 57}, "23 hours 55 minutes"),
        ({"hours": 23, "minutes": 58}, "1 day"),
        ({"hours": 24}, "1 day"),
        ({"hours": 28}, "1 day 4 hours"),
        ({"hours": 47, "minutes": 29}, "1 day 23 hours"),
        ({"hours": 47, "minutes": 30}, "2 days"),
        ({"days": 2, "hours": 1}, "2 days 1 hour"),
        ({"days": 2, "hours": 23, "minutes": 40}, "3 days"),
        ({"days": 3, "hours": 11}, "3 days"),
        ({"days": 3, "hours": 12}, "4 days"),
        ({"days": 60}, "60 days"),
        ({"days": 400}, "400 days"),
    ],
)
def test_the_time_left_is_said_as_people_say_it(lead: dict[str, float], words: str):
    assert until(**lead) == words


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("de", ["weniger als eine Minute", "1 Minute", "1 Stunde 30 Minuten", "1 Tag", "3 Tage"]),
        ("es", ["menos de un minuto", "1 minuto", "1 hora 30 minutos", "1 día", "3 días"]),
        ("fr", ["moins d'une minute", "1 minute", "1 heure 30 minutes", "1 jour", "3 jours"]),
        ("ru", ["1 минута", "1 минута", "1 час 30 минут", "1 день", "3 дня"]),
        ("ja", ["1 分", "1 分", "1 時間 30 分", "1 日", "3 日"]),
    ],
)
def test_other_languages_have_their_own_plurals(locale: str, words: list[str]):
    assert [until(locale, minutes=minutes) for minutes in (0, 1, 90, 1440, 4320)] == words


WELL_WORDED = re.compile(
    r"(1 minute|([2-9]|[1-5]\d) minutes"
    r"|(1 hour|([2-9]|1\d|2[0-3]) hours)( (1 minute|([2-9]|[1-5]\d) minutes))?"
    r"|(1 day|2 days)( (1 hour|([2-9]|1\d|2[0-3]) hours))?"
    r"|([3-9]|[1-5]\d|60) days)"
)
SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


def in_seconds(words: str) -> int:
    parts = re.findall(r"(\d+) (minute|hour|day)", words)
    return sum(int(number) * SECONDS[unit] for number, unit in parts)


def tolerance(seconds: int) -> int:
    for limit, step in [(7200, 60), (86400, 300), (3 * 86400, 3600)]:
        if seconds < limit:
            return step // 2
    return 43200


def test_every_minute_up_to_sixty_days_is_well_worded_near_and_never_runs_backwards():
    every_minute_of_four_days = range(60, 4 * 86400, 60)
    then_every_half_hour = range(4 * 86400, 60 * 86400 + 1, 1800)
    said_before = 0
    for seconds in (*every_minute_of_four_days, *then_every_half_hour):
        words = until(seconds=seconds)
        assert WELL_WORDED.fullmatch(words), words
        assert abs(in_seconds(words) - seconds) <= tolerance(seconds), (seconds, words)
        assert in_seconds(words) >= said_before
        said_before = in_seconds(words)


@settings(max_examples=200)
@given(st.floats(60, 60 * 86400))
def test_any_moment_between_two_minutes_is_well_worded_too(seconds: float):
    assert WELL_WORDED.fullmatch(until(seconds=seconds))


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Ada Lovelace", "Ada"),
        ("Ada", "Ada"),
        ("there", "there"),
        ("Dr. Ada Lovelace", "Dr. Ada Lovelace"),
        ("A Lovelace", "A Lovelace"),
        ("Lovelace, Ada", "Lovelace, Ada"),
        ("Jean-Luc Picard", "Jean-Luc"),
    ],
)
def test_the_first_name_is_the_first_word_unless_that_is_none(name: str, first: str) -> None:
    assert first_name(name) == first
