"""What a customer's message asks for, and the codes that go with it."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.conversations.intent import START_WORDS, STOP_WORDS, Intent, intent_of, normalise
from app.messages import booking_codes
from tests.conftest import Configure

BOOKING = "booking_01M86RCRTRGKG0VA3KWQXX799D"
CODE = booking_codes.code(BOOKING)

# --- what is a cancel ---


@pytest.mark.parametrize(
    "body",
    [
        "CANCEL",
        "cancel",
        "Cancel.",
        "  cancel \n",
        "«cancel!!»",
        "❌ Cancel 😢🙏🏽",
        "CANCEL\u200b\ufe0f",
        "\u202ecan\u200dcel\u202c",
        "ＣＡＮＣＥＬ",
        "c\u00adancel\ufeff",
        "cancel\x00",
    ],
)
def test_the_word_alone_is_a_cancel_however_it_is_dressed(body: str) -> None:
    assert intent_of(body, None) == Intent("cancel")


@pytest.mark.parametrize(
    "body",
    [
        "",
        " \n ",
        "👍",
        "please cancel",
        "cancel please",
        "don't cancel",
        "Don’t cancel!",
        "do not cancel",
        "cancel my dog's vet",
        "cancel culture",
        "ca ncel",
        "ca\u200ancel",
        "cancel?no",
        "cancelled",
        "cancel cancel",
        "cancel sunday",
        "c.a.n.c.e.l",
        "саncel",
        "cancel\nthe one on Friday",
        "stop it",
        "yes please",
        "x" * 1600,
        "cancel" + "!" * 1600,
        "<Response><Redirect>",
    ],
)
def test_what_is_more_than_a_word_is_for_people_to_read(body: str) -> None:
    assert intent_of(body, None) is None


@pytest.mark.parametrize(
    "body",
    [f"CANCEL {CODE}", f"cancel {CODE.lower()}", f"Cancel: {CODE}.", f"cancel\n#{CODE} 🙏"],
    ids=len,  # the secret differs in each process, and names must not
)
def test_a_code_behind_the_word_says_which_booking(body: str) -> None:
    assert intent_of(body, None) == Intent("cancel", CODE)


@pytest.mark.parametrize(
    "body",
    [
        CODE,
        f"{CODE} cancel",
        f"cancel {CODE}{CODE}",
        f"cancel {CODE[:-1]}",
        f"cancel {CODE} now",
        "cancel ABCDE1",
        "cancel ABCDEF",
        f"please cancel {CODE}",
    ],
    ids=len,  # the secret differs in each process, and names must not
)
def test_a_code_elsewhere_or_something_like_one_is_not(body: str) -> None:
    assert intent_of(body, None) is None


def test_the_shops_own_words_count_beside_cancel_and_may_be_several_words() -> None:
    own = "Absagen, termin  absagen,, Стоп."
    for body in ("ABSAGEN!", "Termin absagen", "стоп", "cancel"):
        assert intent_of(body, own) == Intent("cancel")
    assert intent_of(f"Termin Absagen {CODE}", own) == Intent("cancel", CODE)
    assert intent_of("termin", own) is None
    assert intent_of("", own) is None


@pytest.mark.parametrize(
    "word", ["stop", "stopall", "unsubscribe", "end", "quit", "revoke", "optout"]
)
def test_a_word_of_stop_stops_even_if_the_shop_takes_it_for_a_cancel(word: str) -> None:
    assert intent_of(f"{word.upper()}.", word) == Intent("stop")


@pytest.mark.parametrize("word", sorted(START_WORDS))
def test_a_word_of_start_starts_again(word: str) -> None:
    assert intent_of(f"{word.title()}!", None) == Intent("start")


# --- the normaliser ---

_ANY = st.text(max_size=40) | st.text(
    st.sampled_from("cancel CANCEL.!ſßİıͅ\u0345\u200b\u200d\ufe0f\u3164ﷺǅ½①e\u0301\u00a0 👍🏽"),
    max_size=20,
)


def test_the_words_of_stop_and_start_are_these() -> None:
    assert " ".join(sorted(STOP_WORDS)) == "end optout quit revoke stop stopall unsubscribe"
    assert " ".join(sorted(START_WORDS)) == "start unstop yes"


@given(_ANY)
@example("\u0345")
@example("e\u200b\u0301")
@example("İ\u0307")
@example("\u3164")
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(_ANY)
def test_what_is_normalised_is_visible_and_has_no_marks_at_its_ends(text: str) -> None:
    plain = normalise(text)
    assert plain == " ".join(plain.split())
    assert not any(unicodedata.category(char)[0] == "C" for char in plain)
    assert plain == "" or unicodedata.category(plain[0])[0] in "LN"


@given(_ANY, st.sampled_from("!?.,;:-_*~()[]«»\u200b\u200e\ufe0f\u2060 \n\t👍❌"))
def test_marks_around_a_text_do_not_matter(text: str, mark: str) -> None:
    assert normalise(f"{mark}{text} {mark}") == normalise(text)


@given(st.text(min_size=1, max_size=20))
def test_no_other_word_before_cancel_makes_it_one(word: str) -> None:
    if normalise(word):
        assert intent_of(f"{word} cancel", None) is None


# --- codes ---


@given(st.text(max_size=40))
def test_a_code_is_six_characters_that_nobody_mixes_up_and_ends_in_a_digit(booking_id: str) -> None:
    code = booking_codes.code(booking_id)
    assert len(code) == booking_codes.CODE_LENGTH == 6
    assert set(code) <= set(booking_codes.LETTERS + booking_codes.DIGITS)
    assert not set("IO01") & set(code)
    assert code[-1] in booking_codes.DIGITS
    assert intent_of(f"CANCEL {code}", None) == Intent("cancel", code)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40).filter(lambda t: ":" not in t)
)
def test_a_payload_leads_back_to_its_booking(booking_id: str) -> None:
    assert booking_codes.booking_of_payload(booking_codes.cancel_payload(booking_id)) == booking_id


def test_a_payload_fits_what_twilio_takes() -> None:
    assert len(booking_codes.cancel_payload(BOOKING)) < 128


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "cancel",
        "cancel:",
        "cancel::",
        BOOKING,
        f"cancel:{BOOKING}",
        f"cancel:{BOOKING}:",
        f"cancel:{BOOKING}:" + "0" * 32,
        booking_codes.cancel_payload(BOOKING)[:-1],
        booking_codes.cancel_payload(BOOKING) + "0",
        booking_codes.cancel_payload(BOOKING).upper(),
        booking_codes.cancel_payload(BOOKING).replace("799D", "799E"),
        booking_codes.cancel_payload(BOOKING) + "\ud800",
        "ключ",
    ],
    ids=len,  # the secret differs in each process, and names must not
)
def test_what_we_did_not_sign_is_no_payload(payload: str) -> None:
    assert booking_codes.booking_of_payload(payload) is None


def test_another_secret_makes_other_codes_and_takes_no_old_payload(configure: Configure) -> None:
    payload = booking_codes.cancel_payload(BOOKING)
    configure(SECRET_KEY="another secret " * 4)
    assert booking_codes.code(BOOKING) != CODE
    assert booking_codes.booking_of_payload(payload) is None
