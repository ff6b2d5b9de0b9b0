"""The languages that customers are written to in: each says all, and none mixes two."""

import re
import string
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from app.api.customers import Language as ApiLanguage
from app.conversations.intent import Intent, intent_of
from app.messages import booking_codes
from app.messages.compose import Subject, content_of, wording_of
from app.messages.languages import ENGLISH, KINDS, LANGUAGES, Language, chosen, locale_of
from app.messages.texts import check_text, placeholders
from app.models.shop import Shop
from app.shop.changes import locales
from tests.conftest import Configure

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
VISIT = ["Haircut", "Beard trim"]
ANA = Subject("booking_1", "Ana Silva", NOW + timedelta(days=3), VISIT, "Sam")
each_language = pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)


def shop(locale: str = "en_GB", **columns: str) -> Shop:
    return Shop(name="The Chair", locale=locale, time_zone="Europe/London", **columns)


@each_language
def test_each_language_has_each_text_with_the_same_placeholders(language: Language) -> None:
    assert language.texts.keys() == ENGLISH.texts.keys() == set(KINDS)
    for kind, text in language.texts.items():
        check_text(text)
        assert placeholders(text) == placeholders(ENGLISH.texts[kind]), kind
    assert language.answers.keys() == ENGLISH.answers.keys()
    for effect, words in language.answers.items():
        fields = {name for _, name, _, _ in string.Formatter().parse(words)}
        assert fields == {
            name for _, name, _, _ in string.Formatter().parse(ENGLISH.answers[effect])
        }, effect
    assert language.unnamed.keys() == ENGLISH.unnamed.keys()


@each_language
def test_the_word_that_a_text_names_cancels_whatever_the_shop_has_chosen(
    language: Language,
) -> None:
    code = booking_codes.code("booking_01M86RCRTRGKG0VA3KWQXX799D")
    for word in language.cancel:
        for written in (word, word.lower(), word.title()):
            assert intent_of(written, None) == Intent("cancel"), written
            assert intent_of(f"{written} {code}", None) == Intent("cancel", code)
    named = language.cancel[0]
    for kind in ("reminder", "confirmation", "moved"):
        assert re.findall(r"\b[^\W\d_a-z]{4,}\b", language.texts[kind]) == [named], kind
    assert language.answers["which_booking"].count(named) == 2
    assert "START" in language.answers["opted_out"]
    assert "STOP" in language.answers["opted_in"]


@pytest.mark.parametrize(
    ("locale", "language", "expected"),
    [
        ("en_GB", None, "en_GB"),
        ("en_GB", "de", "de"),
        ("en_US", "es", "es_US"),
        ("de_CH", "fr", "fr_CH"),
        ("de_DE", "en", "en_DE"),
        ("es_ES", "en", "en_ES"),
        ("de_AT", "de", "de_AT"),
        ("de_AT", "xx", "de_AT"),
        ("et_EE", None, "en_GB"),
        ("et_EE", "de", "de"),
    ],
)
def test_dates_are_in_the_language_of_the_words_and_as_the_country_writes_them(
    locale: str, language: str | None, expected: str
) -> None:
    assert locale_of(chosen(locale, language), locale) == expected


def test_whatever_language_a_shop_can_choose_its_messages_are_in_one() -> None:
    for locale in locales():
        wording = wording_of(shop(locale), "reminder")
        assert wording.locale.partition("_")[0] == chosen(locale).code
        assert wording.text == chosen(locale).texts["reminder"]


def body(row: Shop, language: str | None) -> str:
    subject = ANA._replace(language=language)
    return content_of(row, "reminder", None, subject, NOW).body


def test_a_customer_is_written_to_in_their_language_unless_the_shop_has_its_own_text() -> None:
    english = body(shop(), None)
    assert "Thursday, 26 November 2026 at 08:00" in english
    assert "Your appointment is in 3 days" in english
    assert "Haircut and Beard trim" in english
    german = body(shop(), "de")
    assert german.startswith("Hallo Ana!")
    assert "Donnerstag, 26. November 2026 um 08:00" in german
    assert "Haircut und Beard trim" in german
    assert "Bis zu Ihrem Termin: 3 Tage" in german
    assert body(shop("de_DE"), "de") == body(shop("de_DE"), None) == german
    assert "at 08:00" in body(shop("de_DE"), "en")
    own = {"reminder_text": "Bis {formattedDateTime}, noch {timeUntil}!"}
    for language in (None, "fr"):
        written = body(shop("de_DE", **own), language)
        assert written == "Bis Donnerstag, 26. November 2026 um 08:00, noch 3 Tage!"


def test_a_template_is_sent_only_with_values_in_its_own_language(configure: Configure) -> None:
    shops, german = "HX" + "a" * 32, "HX" + "b" * 32
    configure(WHATSAPP_REMINDER_CONTENT_SID=f"{shops} de:{german}")
    sent = {
        language: content_of(shop(), "reminder", None, ANA._replace(language=language), NOW)
        for language in (None, "de", "fr")
    }
    assert {each: content.content_sid for each, content in sent.items()} == {
        None: shops, "de": german, "fr": shops,
    }  # fmt: skip
    assert sent["de"].variables["timeUntil"] == "3 Tage"
    assert sent["fr"] == sent[None], "there is no template in French: all of it is the shop's"
    own = content_of(shop(reminder_text="Hi"), "reminder", None, ANA._replace(language="de"), NOW)
    assert own.content_sid == shops


def test_the_api_names_the_languages_that_there_are() -> None:
    assert set(get_args(get_args(get_args(ApiLanguage)[0])[0])) == LANGUAGES.keys()
