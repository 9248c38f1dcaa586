"""The console's files, with what browsers are told about them. In comes the folder that they were built into, out goes an application.

The console is one page that shows what its path names: whoever asks for a page under a path that is no file is answered with that one.
"""

from http import HTTPStatus
from pathlib import Path, PurePosixPath

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDER = Path(__file__).parent / "console"

_HEADERS = {
    # Nothing from elsewhere, nothing written into the page, and nobody may put it into a frame.
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

_EMPTY = """\
Holdfast is here, its console is not: this copy was installed without it.
In a checkout, `make console` builds it; the command line (`holdfast --help`) does all that it does.
/metrics, /healthz and /readyz are beside this page.
"""


class Console(StaticFiles):
    """The files of the console."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Take the folder; without an index.html, a plain page says so."""
        super().__init__(directory=folder, check_dir=False)
        # A folder that is not there is answered for below.
        self.config_checked = True
        self._folder = folder

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, the page, or a status."""
        if not (self._folder / "index.html").is_file():
            return PlainTextResponse(_EMPTY, status_code=200 if path == "." else 404)
        try:
            response = await super().get_response("index.html" if path == "." else path, scope)
        except HTTPException as error:
            # Who does not ask for pages mistyped something, such as the path of a probe, and should hear of it.
            asks_for_page = "text/html" in Headers(scope=scope).get("accept", "")
            if error.status_code != HTTPStatus.NOT_FOUND or PurePosixPath(path).suffix or path.startswith("assets/") or not asks_for_page:
                raise
            path, response = "index.html", await super().get_response("index.html", scope)
        # The names of assets change with what is in them; the page names those that belong together.
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
        return response


def guarded(app: ASGIApp) -> ASGIApp:
    """Return the application with the headers that keep browsers from doing more than they should, on all that it answers."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await app(scope, receive, send_guarded)

    return answer
