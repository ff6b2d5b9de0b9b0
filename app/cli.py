"""The `chairtime` command. What a user can get wrong is answered in one line, on stderr."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from app import files, logs
from app.settings import Settings, SettingsError, settings

if TYPE_CHECKING:
    from app.models.staff import ApiToken
    from app.staff.tokens import Scope

# Imports stand inside the commands where they are slow, and not needed by all.

_FOLLOWS_WITHIN = 5.0
"""Seconds from when a new process is ready, on a reload, until the one before it has to end."""
_WORKER = "app.worker.huey -k thread -w 16 -m 1 -c 2 -g TERM -t 55"


class _Plain(click.Group):
    """A group of commands whose errors are lines for people: status 2 for a wrong environment."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except SettingsError as error:
            _say_what_is_wrong(error.problems)
            ctx.exit(2)
        except Exception as error:
            from app.run import preflight

            lines = preflight.explain(error)
            if lines is None:
                raise
            _say_what_is_wrong(lines)
            ctx.exit(1)


def _say_what_is_wrong(lines: list[str]) -> None:
    for line in lines:
        click.echo(f"chairtime: {line}", err=True)


@click.group(cls=_Plain, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chairtime")
def main() -> None:
    """Chairtime: bookings and WhatsApp reminders for barbershops."""
    os.umask(0o077)  # what we make holds secrets and customers' numbers
    os.environ["TZ"] = "UTC"  # see app.queue.huey


@main.command()
def up() -> None:
    """Run everything: web, worker and, if REDIS_URL is not set, a queue."""
    given = settings()  # first: to import all takes a second, and what is wrong is said at once
    from app.run import up as all_of_it

    _check_folder()
    all_of_it.run(given)


@main.command()
@click.option("--workers", type=click.IntRange(1, 64), help="Processes. Default: WEB_WORKERS.")
@click.option(
    "--grace",
    type=click.IntRange(1, 600),
    default=5,
    help="Seconds that open requests get when it ends. Default: 5.",
)
def serve(workers: int | None, grace: int) -> None:
    """Run the web app on HOST and PORT."""
    from app.run import supervisor

    given = settings()
    if not supervisor.end_with_parent():  # `up` has looked, and importing all takes a second
        _prepare_web(given)
    _share_measurements(given)
    processes = workers or given.web_workers
    os.environ["LOG_FORMAT"] = given.log_format
    options = f"--interface asgi --workers {processes} --workers-kill-timeout {grace}"
    how = ["--log-config", str(logs.CONFIG), "--respawn-failed-workers"]
    how += ["--respawn-interval", str(_FOLLOWS_WITHIN)]
    address = ["--host", given.host, "--port", str(given.port)]
    granian = ["-m", "app.run.granian_waits", *options.split(), *how, *address, "app.asgi:app"]
    _become(Path(sys.executable).name, granian)


def _share_measurements(given: Settings) -> None:
    """Have the processes of this web app add up what they measure, in a folder that is empty."""
    folder = (given.state_dir / "metrics" / str(given.port)).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        _warn([f"{folder} cannot be made ({error.strerror}): /metrics has one process's requests"])
    else:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _prepare_web(given: Settings) -> None:
    """See that the web app can start, and say what is wrong or is to be done first."""
    from app.run import preflight, template_check
    from app.staff import first_run

    preflight.check_port(given.host, given.port)
    database = preflight.reachable_database()
    with database.write() as session:
        first_run.ensure(session, given)
        code = preflight.setup_code(session, given)
    _warn(template_check.troubles(database))
    if code is not None:
        line = f"First run: open {given.public_url}/setup with the setup code {code}"
        click.echo(logs.line_of("chairtime", line))


@main.command()
def worker() -> None:
    """Run a worker, which sends what is due. As many as wanted may run."""
    from app.run import preflight, supervisor, template_check

    supervisor.end_with_parent()
    database = preflight.reachable_database()
    preflight.check_queue(settings())
    _warn(template_check.troubles(database))
    _become("huey_consumer", _WORKER.split())


@main.command()
def migrate() -> None:
    """Bring the database to the newest revision."""
    from app.run import migrate, preflight

    before = migrate.upgrade(preflight.connect())
    if before.is_pending:
        click.echo(f"Migrated from {before.current or 'an empty database'} to {before.newest}.")
    else:
        click.echo(f"The database is at {before.newest} already: nothing to do.")


@main.command()
@click.option("--add", is_flag=True, help="Also if there are bookings already.")
def demo(add: bool) -> None:
    """Fill a believable shop: bookings and reminders in every state. A fresh database is made."""
    from app.demo import fill_shop
    from app.run import migrate, preflight

    fill_shop.check_allowed(settings())
    if migrate.revisions(empty := preflight.connect()).current is None:
        migrate.upgrade(empty)
    with preflight.reachable_database().write() as session:
        number = fill_shop.fill(session, settings(), add=add)
    click.echo(f"Added {number} bookings, with their reminders.")


@main.command()
def doctor() -> None:
    """Check everything that can be wrong, and say what to do about it."""
    from app.run import doctor

    findings = list(doctor.examine())
    for finding in findings:
        click.echo(str(finding))
    if any(finding.has_failed for finding in findings):
        sys.exit(1)


@main.group()
def user() -> None:
    """Staff accounts."""


@user.command("add")
@click.argument("email")
@click.option("--name", required=True, help="What the others call them.")
@click.option("--role", type=click.Choice(("owner", "staff", "viewer")), default="staff")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin, not a prompt.")
def user_add(email: str, name: str, role: str, password_stdin: bool) -> None:
    """Add somebody who may sign in with EMAIL and a password of 12 characters or more."""
    from app.run import preflight
    from app.staff import accounts

    database = preflight.reachable_database()
    password = _password_from_stdin() if password_stdin else _password_from_prompt()
    with database.write() as session:
        added = accounts.add(session, email, name, role, password)
    click.echo(f"Added {added.email} as {added.role}.")


@main.group()
def token() -> None:
    """API tokens, for programs that book."""


@token.command("create")
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(["metrics", "read", "write", "manage"]),
    default="write",
    show_default=True,
    help="What it may: read /metrics, read all, also book and change, also make tokens.",
)
def token_create(name: str, scope: "Scope") -> None:
    """Make a token and print its secret, once."""
    from app.run import preflight
    from app.staff import tokens

    with preflight.reachable_database().write() as session:
        made, secret = tokens.create(session, name, scope)
    click.echo(f"{made.id} ({made.scope}). Keep its secret now, it is not shown again:", err=True)
    click.echo(secret)


@token.command("list")
def token_list() -> None:
    """Show all tokens, without their secrets."""
    from sqlalchemy import select

    from app.models.staff import ApiToken
    from app.run import preflight

    with preflight.reachable_database().read() as session:
        tokens = session.scalars(select(ApiToken).order_by(ApiToken.created_at)).all()
    for one in tokens:
        click.echo(_token_line(one))
    if not tokens:
        click.echo("There are no tokens: `chairtime token create NAME` makes one.", err=True)


@token.command("revoke")
@click.argument("id")
def token_revoke(id: str) -> None:
    """End the token ID, at once and for good."""
    from app.run import preflight
    from app.staff import tokens

    with preflight.reachable_database().write() as session:
        tokens.revoke(session, id, "system")
    click.echo(f"Revoked {id}.")


def _warn(lines: list[str]) -> None:
    for line in lines:
        click.echo(logs.line_of("chairtime", f"chairtime: {line}"), err=True)


def _token_line(token: "ApiToken") -> str:
    used = (
        f"last used {token.last_used_at:%Y-%m-%d %H:%M} UTC" if token.last_used_at else "not used"
    )
    state = f"revoked {token.revoked_at:%Y-%m-%d}" if token.revoked_at else used
    return f"{token.id}  {token.scope:7}  made {token.created_at:%Y-%m-%d}  {state}  {token.name}"


def _password_from_stdin() -> str:
    """The first line, without its end; spaces belong to the password."""
    return sys.stdin.readline().removesuffix("\n").removesuffix("\r")


def _password_from_prompt() -> str:
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask for a password: use --password-stdin.")
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return asked


def _check_folder() -> None:
    """Raise Trouble where another program would be taken for ours."""
    if files.hidden_by():
        from app.run import preflight

        preflight.check_folder()


def _become(program: str, arguments: list[str]) -> NoReturn:
    """Replace this process by one of the programs beside our Python."""
    _check_folder()
    path = Path(sys.executable).with_name(program)
    os.execve(path, [str(path), *arguments], {**os.environ, "TZ": "UTC"})  # noqa: S606


if __name__ == "__main__":
    main()
