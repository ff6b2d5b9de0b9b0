"""The environment: defaults, and one clear sentence for each variable that is wrong."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from app.environment import kept_secret
from app.settings import TWILIO_API, SettingsError, read_settings

TWILIO = {
    "WHATSAPP_ACCOUNT_SID": "AC" + "1" * 32,
    "WHATSAPP_AUTH_TOKEN": "the-auth-token-nobody-may-see",
    "WHATSAPP_FROM_NUMBER": "whatsapp:+14155238886",
}
PRODUCTION = {
    **TWILIO,
    "APP_ENV": "production",
    "SECRET_KEY": "s" * 32,
    "DATABASE_URL": "postgresql://chairtime:secret-word@db/chairtime",
    "REDIS_URL": "redis://queue/0",
    "PUBLIC_URL": "https://bookings.example.com",
}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    # A short name: with a long one the queue's socket would stand elsewhere.
    return str(tmp_path_factory.mktemp("env") / "state")


def problems(environment: dict[str, str], folder: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings({"STATE_DIR": folder, **environment})
    return caught.value.problems


def test_an_empty_environment_is_a_working_development_install(folder: str) -> None:
    env = read_settings({"STATE_DIR": folder})
    assert (env.host, env.port, env.public_url) == (
        "127.0.0.1",
        3000,
        "http://127.0.0.1:3000",
    )
    assert env.database_url == f"sqlite:///{folder}/chairtime.db"
    assert env.redis_url == f"unix://{folder}/queue/queue.sock?socket_timeout=15"
    assert env.embedded_queue
    assert env.simulator
    assert not env.production
    assert env.whatsapp_api_url == "http://127.0.0.1:3000/simulator"
    assert env.reminder_every == 7200
    assert env.retry_delays == (5, 25, 125, 625, 3125)


def test_a_variable_that_is_empty_or_blank_counts_as_not_set(folder: str) -> None:
    blank = dict.fromkeys(PRODUCTION, " ")
    assert read_settings({"STATE_DIR": folder, **blank}) == read_settings({"STATE_DIR": folder})


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("APP_ENV", "staging", "it must be development or production"),
        ("PORT", "http", "it must be a port from 1 to 65535"),
        ("PORT", "70000", "it must be a port from 1 to 65535"),
        ("PORT", "0", "it must be a port from 1 to 65535"),
        ("PUBLIC_URL", "bookings.example.com", "it must be http(s)://host or http(s)://host/path"),
        ("PUBLIC_URL", "https://my_shop.example.com", "no underscore in the host"),
        ("PUBLIC_URL", "https://shop.example.com/a b", "http(s)://host/path"),
        ("PUBLIC_URL", "https://shop.example.com/a/../b", "http(s)://host/path"),
        ("PUBLIC_URL", "https://shop.example.com//b", "http(s)://host/path"),
        ("PUBLIC_URL", "https://shop.example.com/a?b=c", "http(s)://host/path"),
        ("PUBLIC_URL", "http://shop.example.com:99999", "http(s)://host/path"),
        ("WHATSAPP_API_URL", "foo", "it must be http(s)://host, with a path if need be"),
        ("DATABASE_URL", "sqlite:///:memory:", "it must be postgresql://… or sqlite:///path"),
        ("DATABASE_URL", "sqlite://", "it must be postgresql://… or sqlite:///path"),
        ("DATABASE_URL", "postgresql://db:port/shop", "it must be postgresql://… or sqlite:///"),
        ("REDIS_URL", "redis://queue:99999/0", "it must be redis://…, rediss://… or unix://…"),
        ("DATABASE_URL", "mysql://db/shop", "it must be postgresql://… or sqlite:///path"),
        ("DATABASE_URL", "chairtime.db", "it must be postgresql://… or sqlite:///path"),
        ("REDIS_URL", "127.0.0.1:6379", "it must be redis://…, rediss://… or unix://…"),
        ("REDIS_URL", "redis+sentinel://one:26379,two:26379", "redis+sentinel://host,host/primary"),
        ("REDIS_URL", "redis+sentinel://one:99999/shop", "redis+sentinel://host,host/primary"),
        ("REDIS_URL", "redis+sentinel://one/shop/first", "redis+sentinel://host,host/primary"),
        ("REDIS_PORT", "none", "it must be a port from 1 to 65535"),
        ("WHATSAPP_REMINDER_CONTENT_SID", "HX1", "it must be HX and 32 hexadecimal digits"),
        ("WHATSAPP_CANCELLATION_CONTENT_SID", "MG" + "0" * 32, "it must be HX and 32"),
        ("WHATSAPP_MAX_PER_SECOND", "fast", "it must be a number from 0.1 to 400"),
        ("WHATSAPP_MAX_PER_SECOND", "0", "it must be a number from 0.1 to 400"),
        ("WEB_WORKERS", "0", "it must be a number from 1 to 64"),
        ("WEB_WORKERS", "1.5", "it must be a number from 1 to 64"),
        ("REMINDER_EVERY", "2", "such as 90s, 30m or 2h"),
        ("REMINDER_EVERY", "0.5s", "a duration of at least 1s"),
        ("REMINDER_EVERY", "2 hours", "such as 90s, 30m or 2h"),
        ("REMINDER_EVERY", "367d", "such as 90s, 30m or 2h"),
        ("RETRY_DELAYS", "5;25", "it must be seconds between tries, such as 5,25,125"),
        ("RETRY_DELAYS", "5,-1", "it must be seconds between tries, such as 5,25,125"),
        ("RETRY_DELAYS", "5,nan", "it must be seconds between tries, such as 5,25,125"),
        ("SEND_TIMEOUT", "0", "it must be a number from 0.1 to 120"),
        ("SEND_TIMEOUT", "nan", "it must be a number from 0.1 to 120"),
        ("SEND_LEASE", "forever", "it must be a number from 0.5 to 3600"),
        ("UNCERTAIN_QUIET", "-1", "it must be a number from 0.1 to 86400"),
        ("FEED_EVERY", "61", "it must be a number from 0.1 to 60"),
        (
            "SMTP_URL",
            "smtp.example.com:587",
            "it must be smtp://user:password@host:587 or smtps://",
        ),
        ("SMTP_URL", "smtps://mail.example.com?tls=off", "it must be smtp://"),
        ("SMTP_URL", "smtp://mail.example.com:99999", "it must be smtp://"),
        ("MAIL_FROM", "The Shop", "it must be bookings@example.com or The Shop"),
        ("SHOP_TIMEZONE", "London", "it must be a time zone such as Europe/London"),
        ("SHOP_TIMEZONE", "../../etc/passwd", "it must be a time zone such as Europe/London"),
        ("SHOP_TIMEZONE", "Europe", "it must be a time zone such as Europe/London"),
    ],
)
def test_a_bad_variable_gets_one_sentence_with_its_name_its_value_and_what_is_right(
    name: str, value: str, sentence: str, folder: str
) -> None:
    [problem] = problems({name: value}, folder)
    assert problem.startswith(f"{name} is {value!r}: ")
    assert sentence in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [("SECRET_KEY", "short"), ("CHAIRTIME_API_TOKEN", "short")],
)
def test_a_short_secret_is_refused_without_being_repeated(
    name: str, value: str, folder: str
) -> None:
    assert problems({name: value}, folder) == [f"{name} is too short: 32 characters or more"]


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [
        ("smtp://mail.example.com", 587, "starttls"),
        ("smtp://mail.example.com:2525?tls=off", 2525, "off"),
        ("smtps://mail.example.com", 465, "implicit"),
        ("smtp://127.0.0.1", 25, "off"),
        ("smtp://localhost?tls=starttls", 587, "starttls"),
    ],
)
def test_mail_goes_over_tls_but_to_the_loopback_or_where_one_says_so(
    url: str, port: int, tls: str, folder: str
) -> None:
    given = {"STATE_DIR": folder, "SMTP_URL": url, "MAIL_FROM": "The Shop <shop@example.com>"}
    env = read_settings(given)
    assert env.smtp_server is not None
    assert (env.smtp_server.port, env.smtp_server.tls) == (port, tls)
    assert env.mail_domain == "example.com"


def test_user_and_password_of_a_mail_server_may_have_any_characters(folder: str) -> None:
    url = "smtp://bookings%40example.com:p%40ss%2Fword@mail.example.com"
    env = read_settings({"STATE_DIR": folder, "SMTP_URL": url, "MAIL_FROM": "a@example.com"})
    assert env.smtp_server is not None
    assert (env.smtp_server.user, env.smtp_server.password) == ("bookings@example.com", "p@ss/word")
    assert "p@ss" not in repr(env)


def test_mail_needs_a_sender(folder: str) -> None:
    [problem] = problems({"SMTP_URL": "smtp://mail.example.com"}, folder)
    assert problem == "MAIL_FROM is missing: with SMTP_URL, it is who mail comes from"


def test_each_bad_variable_is_named_at_once(folder: str) -> None:
    wrong = problems({"PORT": "x", "FEED_EVERY": "x", "SHOP_TIMEZONE": "x"}, folder)
    assert [problem.split()[0] for problem in wrong] == ["PORT", "FEED_EVERY", "SHOP_TIMEZONE"]


def test_a_lease_must_outlast_two_sends(folder: str) -> None:
    [problem] = problems({"SEND_TIMEOUT": "40", "SEND_LEASE": "80"}, folder)
    assert problem.startswith("SEND_LEASE is 80 s: it must be more than twice SEND_TIMEOUT (40 s)")


def test_a_sender_that_is_no_phone_number_is_refused(folder: str) -> None:
    [problem] = problems({**TWILIO, "WHATSAPP_FROM_NUMBER": "chairtime"}, folder)
    assert problem.startswith("WHATSAPP_FROM_NUMBER is 'chairtime': it must be a number with")


@pytest.mark.parametrize("name", TWILIO)
def test_half_of_the_twilio_credentials_are_refused_naming_the_missing_one(
    name: str, folder: str
) -> None:
    given = {key: value for key, value in TWILIO.items() if key != name}
    assert problems(given, folder) == [f"{name} is missing"]


def test_with_credentials_messages_go_to_twilio_from_the_e164_number(folder: str) -> None:
    env = read_settings({"STATE_DIR": folder, **TWILIO})
    assert (env.simulator, env.whatsapp_api_url) == (False, TWILIO_API)
    assert env.whatsapp_from_number == "+14155238886"


def test_the_simulator_credentials_are_kept_with_the_secret(folder: str) -> None:
    first, second = (read_settings({"STATE_DIR": folder}) for _ in range(2))
    assert first.whatsapp_auth_token == second.whatsapp_auth_token
    assert first.secret_key == second.secret_key


def test_production_starts_when_everything_is_there(folder: str) -> None:
    env = read_settings({"STATE_DIR": folder, **PRODUCTION})
    assert env.production
    assert not env.simulator
    assert not env.embedded_queue
    assert env.redis_url == "redis://queue/0?socket_timeout=15"
    assert env.database_url == "postgresql+psycopg://chairtime:secret-word@db/chairtime"


@pytest.mark.parametrize("name", sorted(PRODUCTION.keys() - {"APP_ENV"}))
def test_production_refuses_to_start_without_any_one_of_what_it_needs(
    name: str, folder: str
) -> None:
    wrong = problems({**PRODUCTION, name: ""}, folder)
    assert wrong
    assert all(problem.startswith((f"{name} is missing", f"{name} is SQLite")) for problem in wrong)


def test_production_names_everything_that_is_missing_once(folder: str) -> None:
    wrong = problems({"APP_ENV": "production"}, folder)
    named = [problem.split()[0] for problem in wrong]
    assert set(named) == PRODUCTION.keys() - {"APP_ENV"}


def test_production_refuses_sqlite_and_plain_http(folder: str) -> None:
    assert problems({**PRODUCTION, "DATABASE_URL": "sqlite:///shop.db"}, folder) == [
        "DATABASE_URL is SQLite: production needs postgresql://…"
    ]
    [problem] = problems({**PRODUCTION, "PUBLIC_URL": "http://shop.example.com"}, folder)
    assert "it must be https://host" in problem


def test_production_makes_no_secret_of_its_own(folder: str) -> None:
    problems({**PRODUCTION, "SECRET_KEY": ""}, folder)
    assert not Path(folder).exists()


def test_a_redis_may_be_named_by_host_and_port(folder: str) -> None:
    env = read_settings({"STATE_DIR": folder, "REDIS_HOST": "queue", "REDIS_PORT": "6380"})
    assert env.redis_url == "redis://queue:6380/0?socket_timeout=15"
    assert not env.embedded_queue


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("redis://queue/0?socket_timeout=3", "redis://queue/0?socket_timeout=3"),
        ("unix:///run/queue.sock?db=1", "unix:///run/queue.sock?db=1&socket_timeout=15"),
    ],
)
def test_a_redis_url_keeps_what_it_says_and_gets_a_long_time_out(
    given: str, url: str, folder: str
) -> None:
    assert read_settings({"STATE_DIR": folder, "REDIS_URL": given}).redis_url == url


def test_postgresql_is_always_reached_by_our_driver(folder: str) -> None:
    for scheme in ("postgres", "postgresql", "postgresql+asyncpg"):
        env = read_settings({"STATE_DIR": folder, "DATABASE_URL": f"{scheme}://db/shop"})
        assert env.database_url == "postgresql+psycopg://db/shop"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1.5h", 5400), ("1 d", 86400)]
)
def test_durations_are_a_number_and_a_unit(text: str, seconds: float, folder: str) -> None:
    assert read_settings({"STATE_DIR": folder, "REMINDER_EVERY": text}).reminder_every == seconds


def test_a_queue_socket_whose_path_would_be_too_long_gets_a_short_one_of_its_own(
    tmp_path: Path,
) -> None:
    deep = tmp_path / ("a-long-name-" * 8)
    first, again = (read_settings({"STATE_DIR": str(deep)}) for _ in range(2))
    other = read_settings({"STATE_DIR": str(deep / "other")})
    assert len(str(first.queue_socket)) < 100
    assert first.queue_socket == again.queue_socket != other.queue_socket
    assert str(first.queue_socket) in first.redis_url


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:3000"),
        ("::", "http://127.0.0.1:3000"),
        ("::1", "http://[::1]:3000"),
        ("10.0.0.5", "http://10.0.0.5:3000"),
    ],
)
def test_our_own_processes_reach_the_app_whatever_it_listens_on(
    host: str, url: str, folder: str
) -> None:
    assert read_settings({"STATE_DIR": folder, "HOST": host}).local_url == url


def test_the_public_url_may_have_a_path(folder: str) -> None:
    env = read_settings({"STATE_DIR": folder, "PUBLIC_URL": "https://shop.example.com/book.ings/"})
    assert env.public_url == "https://shop.example.com/book.ings"
    assert (env.base_path, env.public_origin) == ("/book.ings", "https://shop.example.com")
    assert env.local_url == "http://127.0.0.1:3000/book.ings"
    without = read_settings({"STATE_DIR": folder, "PUBLIC_URL": "https://shop.example.com/"})
    assert (without.public_url, without.base_path) == ("https://shop.example.com", "")


def test_twilio_itself_cannot_call_back_a_loopback_address(folder: str) -> None:
    real = read_settings({"STATE_DIR": folder, **TWILIO})
    fake = read_settings({"STATE_DIR": folder, **TWILIO, "WHATSAPP_API_URL": "http://127.0.0.1:9"})
    public = read_settings({"STATE_DIR": folder, **PRODUCTION})
    assert not real.twilio_can_call_back
    assert fake.twilio_can_call_back
    assert public.twilio_can_call_back


def test_a_state_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    [problem] = problems({}, str(tmp_path / "file" / "state"))
    assert problem == f"STATE_DIR {tmp_path}/file/state cannot be written: Not a directory"


def test_secrets_are_not_in_the_settings_as_text(folder: str) -> None:
    secret = {"CHAIRTIME_API_TOKEN": "t" * 40, "CHAIRTIME_OWNER_PASSWORD": "hunter2hunter2"}
    shown = repr(read_settings({"STATE_DIR": folder, **PRODUCTION, **secret}))
    hidden = [*secret.values(), "s" * 32, TWILIO["WHATSAPP_AUTH_TOKEN"], "secret-word"]
    assert not [value for value in hidden if value in shown]


def test_one_secret_is_kept_however_many_processes_make_it(tmp_path: Path) -> None:
    path, made, secrets_read = tmp_path / "new" / "secret", iter("abcdefgh"), []
    threads = [
        threading.Thread(target=lambda: secrets_read.append(kept_secret(path, lambda: next(made))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(secrets_read) == 8
    assert set(secrets_read) == {path.read_text()}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret"]


def test_the_settings_cannot_be_changed(folder: str) -> None:
    env: Any = read_settings({"STATE_DIR": folder})
    with pytest.raises(AttributeError):
        env.port = 4000


def test_the_web_app_has_a_process_a_core_on_postgresql_and_one_on_sqlite(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def workers(**variables: str) -> int:
        return read_settings({"STATE_DIR": folder, **variables}).web_workers

    postgres = {"DATABASE_URL": "postgresql://db/shop"}
    for cores, wanted in ((None, 1), (2, 2), (64, 4)):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert (workers(), workers(**postgres)) == (1, wanted)
    assert (workers(WEB_WORKERS="3"), workers(**postgres, WEB_WORKERS="8")) == (3, 8)
