"""The web server behind the review page: this computer only, a fixed list of addresses, a key for everything but the
bare page.

What keeps others out. The socket is bound to 127.0.0.1. The ``Host`` must name this computer (a foreign name that
resolves here is rejected), an ``Origin`` must be the page's own, and a ``Sec-Fetch-Site`` must not be cross-site. Data
and changes need the session's key in a header, which no form and no foreign script can send without a permission that
is never given (no CORS answer, no OPTIONS). Changes are POST with a JSON body. No address is turned into a path on
disk.
"""

from __future__ import annotations

import hmac
import json
import math
import re
import secrets
import socketserver
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ...errors import OutputError, PolynyaError, UsageError, one_line
from ...report import html
from ...report.review import ASSETS
from .session import ConflictError, Session

KEY_HEADER = "X-Polynya-Key"
LOCAL_HOST = re.compile(r"(?:127\.0\.0\.1|localhost)(?::[0-9]{1,5})?")
LARGEST_BODY = 16_384
HEADERS = (
    (
        "Content-Security-Policy",
        (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:;"
            " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
JSON, BINARY, PNG = "application/json", "application/octet-stream", "image/png"


class ReviewServer(ThreadingHTTPServer):
    """Serves one session on the loopback address.

    Parameters
    ----------
    session : Session
        Of the site.
    port : int
        0 takes a free one.
    site : Site, optional
        By default that of labels of tracks.

    Attributes
    ----------
    key : str
        What the page must send; new for every server.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, session: Any, *, port: int, site: Site | None = None):
        self.session = session
        self.site = site or LABELS
        self.key = secrets.token_urlsafe(24)
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def address(self) -> str:
        """The page's address; the key is its fragment, which a browser never sends."""
        return f"http://127.0.0.1:{self.server_address[1]}/#{self.key}"

    def server_bind(self) -> None:
        """Bind without looking the host's name up, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that closes a connection is no error."""


class Query:
    """The parameters of one request; every value is checked where it is taken."""

    def __init__(self, values: dict[str, object]):
        self._values = values

    def whole(self, name: str) -> int:
        """Return a whole number."""
        value = self._get(name)
        try:
            if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
                raise ValueError
            return int(value)  # type: ignore[call-overload]
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"{name}: {str(value)[:40]!r}; expected a whole number.") from None

    def number(self, name: str) -> float:
        """Return a finite number."""
        value = self._get(name)
        try:
            if isinstance(value, bool) or not math.isfinite(float(value)):  # type: ignore[arg-type]
                raise ValueError
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"{name}: {str(value)[:40]!r}; expected a number.") from None

    def text(self, name: str) -> str:
        """Return text."""
        value = self._get(name)
        if not isinstance(value, str):
            raise UsageError(f"{name}: {str(value)[:40]!r}; expected text.")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false."""
        value = self._get(name)
        if value not in (True, False, "0", "1") or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            raise UsageError(f"{name}: {str(value)[:40]!r}; expected true or false.")
        return value in (True, "1")

    def _get(self, name: str) -> object:
        if name not in self._values:
            raise UsageError(f"{name}: is missing in the request. Load the page again.")
        return self._values[name]


Answer = tuple[str, bytes | None]


@dataclass(frozen=True, kw_only=True)
class Site:
    """A page: its files by address with their type, and what may be asked (GET) and changed (POST) of a session."""

    assets: Mapping[str, tuple[str, str]]
    looks: Mapping[str, Callable[[Any, Query], Answer]]
    changes: Mapping[str, Callable[[Any, Query], Answer]]


def as_json(value: object) -> Answer:
    """Return plain data as an answer."""
    return JSON, html.script_json(value).encode()


LOOKS: dict[str, Callable[[Session, Query], Answer]] = {
    "/api/session": lambda s, q: as_json(s.overview()),
    "/api/file": lambda s, q: as_json(s.state(q.whole("file"))),
    "/api/window": lambda s, q: (
        BINARY,
        s.window(
            q.whole("file"), q.text("beam"), x_from=q.number("from"), x_to=q.number("to"), columns=q.whole("columns")
        ),
    ),
    "/api/course": lambda s, q: (BINARY, s.course(q.whole("file"), q.text("beam"))),
    "/api/segment": lambda s, q: as_json(s.segment(q.whole("file"), q.text("beam"), x=q.number("x"))),
    "/api/run": lambda s, q: as_json(
        s.run(q.whole("file"), q.text("beam"), x=q.number("x"), step=q.whole("step"), unlabelled=q.flag("unlabelled"))
    ),
    "/api/tile": lambda s, q: (
        PNG,
        s.tile(q.whole("file"), level=q.whole("level"), row=q.whole("row"), column=q.whole("column")),
    ),
}
"""GET addresses."""
CHANGES: dict[str, Callable[[Session, Query], Answer]] = {
    "/api/label": lambda s, q: as_json(
        s.set_label(
            q.whole("file"), q.text("beam"), x_from=q.number("from"), x_to=q.number("to"), label=q.whole("label")
        )
    ),
    "/api/shift": lambda s, q: as_json(s.set_shift(q.whole("file"), east=q.number("east"), north=q.number("north"))),
    "/api/done": lambda s, q: as_json(s.set_done(q.whole("file"), done=q.flag("done"))),
    "/api/undo": lambda s, q: as_json(s.undo(q.whole("file"), expected=q.text("id"))),
    "/api/redo": lambda s, q: as_json(s.redo(q.whole("file"), expected=q.text("id"))),
}
"""POST addresses."""
LABELS = Site(assets=ASSETS, looks=LOOKS, changes=CHANGES)
"""The page of labels of tracks."""


STATUS = ((ConflictError, 409), (UsageError, 400), (OutputError, 507))
"""HTTP status of an error; 500 for others."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "polynya"
    sys_version = ""
    timeout = 120
    server: ReviewServer

    def do_GET(self) -> None:
        """Answer with the page's files, or with data."""
        if not self._is_ours():
            return
        try:
            parts = urlsplit(self.path)
        except ValueError:
            self._reject(400, "that is no address")
            return
        site = self.server.site
        if parts.path in site.assets:
            name, kind = site.assets[parts.path]
            self._send(200, kind, html.resource(name).encode())
        elif parts.path in site.looks:
            try:
                values: dict[str, object] = {k: v[0] for k, v in parse_qs(parts.query, max_num_fields=20).items()}
            except ValueError:
                self._reject(400, "the address has too many parameters")
                return
            if self._has_key():
                self._answer(site.looks[parts.path], values)
        else:
            self._reject(404, "no such address")

    def do_POST(self) -> None:
        """Answer a change, once it is saved."""
        if not self._is_ours():
            return
        path = self.path.partition("?")[0]
        if path not in self.server.site.changes:
            self._reject(404, "no such address")
        elif self._has_key() and self._is_change():
            length = int(self.headers.get("Content-Length", ""))
            try:
                values = json.loads(self.rfile.read(length))
                if not isinstance(values, dict):
                    raise ValueError
            except (ValueError, RecursionError):
                self._reject(400, "a change must be a JSON object")
            else:
                self._answer(self.server.site.changes[path], values)

    def _is_change(self) -> bool:
        """Reject what is no JSON or does not say how long it is."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get_content_type() != JSON:
            self._reject(415, "a change must be application/json")
        elif not length.isascii() or not length.isdigit() or int(length) > LARGEST_BODY:
            self._reject(413, f"a change must say its length, at most {LARGEST_BODY} bytes")
        else:
            return True
        return False

    def _is_ours(self) -> bool:
        """Reject what comes from another site or under another name."""
        hosts = self.headers.get_all("Host") or []
        origin = self.headers.get("Origin")
        is_other_site = origin is not None and origin != f"http://{hosts[0] if hosts else ''}"
        if len(hosts) != 1 or not LOCAL_HOST.fullmatch(hosts[0]):
            self._reject(403, "this server answers to 127.0.0.1 and localhost only")
        elif is_other_site or self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            self._reject(403, "requests from other sites are rejected")
        else:
            return True
        return False

    def _has_key(self) -> bool:
        if hmac.compare_digest(self.headers.get(KEY_HEADER, "").encode("utf-8", "replace"), self.server.key.encode()):
            return True
        self._reject(401, "the key is missing or of an earlier review; open the address that polynya review printed")
        return False

    def _answer(self, action: Callable[[Any, Query], Answer], values: dict[str, object]) -> None:
        try:
            kind, body = action(self.server.session, Query(values))
        except (PolynyaError, OSError, MemoryError) as error:
            status = next((code for error_class, code in STATUS if isinstance(error, error_class)), 500)
            self._reject(status, one_line(error))
            return
        if body is None:
            self._reject(404, "there is nothing here")
            return
        self._send(200, kind, body)

    def _reject(self, status: int, why: str) -> None:
        self.close_connection = True  # a body may be left unread
        self._send(status, JSON, html.script_json({"error": why}).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in (*HEADERS, ("Content-Type", kind), ("Content-Length", str(len(body)))):
                self.send_header(name, value)
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the page says what is saved."""
