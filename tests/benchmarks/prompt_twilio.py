"""The fake Twilio in a process of its own, answering each request so many seconds after it came.

    python -m tests.benchmarks.prompt_twilio 0.05

It prints its port. `GET /posts` says what it was sent: `[[number, seconds since 1970], …]`. One
thread with an event loop, as a thread for each connection would take the worker's core.
"""

import asyncio
import json
import sys
from functools import partial

from tests.fake_twilio import FakeTwilio
from tests.fake_twilio.server import Answer, Request, raw

_END = b"\r\n\r\n"


class _Connection(asyncio.Protocol):
    """One client's: its requests come one after the other, as ours send them."""

    def __init__(self, twilio: FakeTwilio, delay: float) -> None:
        self._twilio, self._delay = twilio, delay
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(_END)
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        if len(body) < int(headers.get("content-length", 0)):
            return
        self._received = b""
        self._answer(first, headers, body)

    def _answer(self, first: str, headers: dict[str, str], body: bytes) -> None:
        method, target, _ = first.split()
        path, _, query = target.partition("?")
        if path == "/posts":
            posts = [[post.to, post.at.timestamp()] for post in self._twilio.posts()]
            self._transport.write(raw(Answer(200, json.dumps(posts).encode())))
            return
        content_type = headers.get("content-type", "").partition(";")[0]
        authorization = headers.get("authorization", "")
        request = Request(method, path, query, authorization, content_type, body)
        answer = raw(self._twilio.respond(request).answer)
        asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer)


async def _serve(delay: float) -> None:
    make = partial(_Connection, FakeTwilio(), delay)
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
