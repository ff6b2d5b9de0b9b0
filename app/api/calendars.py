"""Calendars in the format of RFC 5545, for whoever has the private link."""

from typing import Annotated

from litestar import HttpMethod, Response, Router, route
from litestar.params import PathParameter

from app import db
from app.integrations import calendars
from app.web import etags
from app.web.etags import IfNoneMatch

File = Annotated[str, PathParameter(pattern=r"^[ -~]{1,120}\.ics$", description="The secret.")]


@route(
    "/calendar/{file:str}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    opt={"access": "public"},
    sync_to_thread=True,
)
def read_calendar(file: File, if_none_match: IfNoneMatch = None) -> Response[bytes]:
    """The calendar of this secret; 304 for who has it already, which costs one small statement."""
    with db.database().read() as session:
        feed = calendars.find(session, file.removesuffix(".ics"))
        tag = f'"{calendars.version(session, feed)}"'
        headers = {
            "ETag": tag,
            "Cache-Control": "private, no-cache",
            "X-Robots-Tag": "noindex",
        }
        if etags.is_known(tag, if_none_match):
            return Response(b"", status_code=304, headers=headers)
        content = calendars.ics(session, feed)
    return Response(content, headers=headers, media_type="text/calendar")


router = Router("/", route_handlers=[read_calendar], include_in_schema=False)
