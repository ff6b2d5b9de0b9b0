"""What the ways in share: the browser gets a session, or the cookie of a step to one."""

from urllib.parse import urlsplit

from litestar import Response

from app.dashboard.shell import PageRequest, redirect
from app.settings import settings
from app.staff import devices, sessions, steps
from app.staff.login import Entry, TooManyTries
from app.staff.passkeys import Site
from app.web import cookies
from app.web.addresses import with_query

HOME = "/"
SECOND = "/login/second"

_STEP_COOKIE = "chairtime-step"
_A_YEAR = 31_536_000  # seconds


def enter(request: PageRequest, entry: Entry, email: str, onwards: str) -> Response[str]:
    """On to where one wanted to, or first to the page that asks for the second factor."""
    if not entry.is_waiting:
        return knows_browser(signed_in(request, entry.secret, onwards), email)
    answer = redirect(request, with_query(SECOND, {"next": "" if onwards == HOME else onwards}))
    cookies.end_session(answer)
    cookies.give(answer, _STEP_COOKIE, entry.secret, int(steps.HOLDS_FOR.total_seconds()))
    return answer


def step_secret(request: PageRequest) -> str | None:
    """The secret of the step that the browser has, if it is one."""
    return request.cookies.get(cookies.named(_STEP_COOKIE)) or None


def entered(request: PageRequest, secret: str, email: str, onwards: str) -> Response[str]:
    """The step is done."""
    answer = knows_browser(signed_in(request, secret, onwards), email)
    cookies.give(answer, _STEP_COOKIE, "", 0)
    return answer


def signed_in(request: PageRequest, secret: str, url: str) -> Response[str]:
    """Give the browser a session, and go on."""
    answer = redirect(request, url)
    cookies.set_session(answer, secret, int(sessions.LONGEST.total_seconds()))
    return answer


def knows_browser(answer: Response[str], email: str) -> Response[str]:
    """Let the browser be one that this account has logged in with."""
    cookies.give(answer, devices.cookie_name(email), devices.made(email), _A_YEAR)
    return answer


def device(request: PageRequest, email: str) -> str | None:
    """The browser's id, if this account has logged in with it before."""
    return devices.known(email, request.cookies.get(cookies.named(devices.cookie_name(email))))


def address(request: PageRequest) -> str:
    """Where the browser is."""
    return request.client.host if request.client else "unknown"


def site(request: PageRequest) -> Site:
    """How the browser calls us; that we have that name is looked at before."""
    host = request.headers.get("host", "")
    public = settings().public_origin
    is_public = host == urlsplit(public).netloc
    origin = public if is_public else f"{request.url.scheme}://{host}"
    return Site(origin, str(urlsplit(origin).hostname))


def too_many(answer: Response[str], many: TooManyTries) -> Response[str]:
    """Say to programs as well how long to wait."""
    answer.headers["Retry-After"] = str(int(many.wait.total_seconds()) + 1)
    return answer


def later(many: TooManyTries) -> str:
    """The same to people."""
    minutes = int(many.wait.total_seconds() // 60) + 1
    return f"Too many tries. Wait {minutes} minute{'s' if minutes > 1 else ''}, then try again."
