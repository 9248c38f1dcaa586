"""The console's files as browsers get them, asked over ASGI without a socket."""

import asyncio
import re
from urllib.parse import unquote

import pytest

from holdfastd.http.app import make_app
from holdfastd.metrics.registry import Metrics


async def get(folder, path, verb="GET", *, encoding="", accept="text/html,*/*"):
    """Return status, headers and body."""
    sent = []

    async def receive():
        # The request has come whole, and its caller stays.
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    async def ready():
        return ""

    scope = {
        "type": "http",
        "method": verb,
        "path": path,
        "query_string": b"",
        "headers": [(b"accept-encoding", encoding.encode()), (b"accept", accept.encode())],
        "root_path": "",
    }
    await make_app(Metrics("1").registry, ready, console=folder)(scope, receive, send)
    headers = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]).decode("utf-8", "replace")


@pytest.fixture
def folder(tmp_path):
    """A console of one page and one asset, and a file beside it that is nobody's business."""
    (tmp_path / "secret.txt").write_text("secret")
    built = tmp_path / "console"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html>the page")
    (built / "assets" / "index-B4ff.js").write_text("run()")
    return built


@pytest.mark.parametrize("path", ["/", "/index.html", "/databases/shop", "/jobs/job-1", "/holdfast"])
async def test_every_path_of_the_console_is_the_page(folder, path):
    """A link into it can be opened and sent; browsers ask for the page every time."""
    status, headers, body = await get(folder, path)

    assert (status, headers["cache-control"], body) == (200, "no-cache", "<!doctype html>the page")


async def test_assets_are_kept_for_good(folder):
    """Their names change with what is in them; each has the type that it is."""
    status, headers, body = await get(folder, "/assets/index-B4ff.js")

    assert (status, headers["cache-control"], body) == (200, "public, max-age=31536000, immutable", "run()")
    assert headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("path", ["/assets/index-old.js", "/favicon.ico", "/../secret.txt", "/assets/../../secret.txt"])
async def test_what_is_not_there_is_not_the_page(folder, path):
    """A browser that takes a page for a script fails later and less clearly; nothing beside the folder is served."""
    status, _, body = await get(folder, path)

    assert (status, "secret" in body) == (404, False)


@pytest.mark.parametrize("path", ["/readyz/", "/databases/shop", "/holdfast.v2.DatabaseService/GetDatabase"])
async def test_who_asks_for_no_page_gets_none(folder, path):
    """A probe whose path is mistyped must not find everything in order."""
    assert (await get(folder, path, accept="*/*"))[0] == 404


@pytest.mark.parametrize("path", ["/..%2fsecret.txt", "/%00", "//etc/passwd", "/" + "a" * 5000, "/..\\secret.txt", "/assets/link.txt"])
async def test_odd_paths_lead_nowhere(folder, path):
    """Neither out of the folder nor to a fault."""
    (folder / "assets" / "link.txt").symlink_to(folder.parent / "secret.txt")

    status, _, body = await get(folder, unquote(path), accept="*/*")

    assert (status, "secret" in body) == (404, False)


async def test_probes_are_where_they_were(folder):
    """A console does not hide them."""
    assert [(await get(folder, path))[0] for path in ("/metrics", "/healthz", "/readyz")] == [200, 200, 200]
    assert (await get(folder, "/healthz"))[2] == "ok\n"


@pytest.mark.parametrize("path", ["/", "/assets/index-B4ff.js", "/healthz", "/nothing.txt"])
async def test_browsers_are_kept_in(folder, path):
    """Nothing from elsewhere, no script in the page, no frame around it, no guessing of types, no address told to others."""
    _, headers, _ = await get(folder, path)
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))

    assert (policy["default-src"], policy["frame-ancestors"], policy["object-src"]) == ("'self'", "'none'", "'none'")
    assert not re.search("unsafe|http|[*]", headers["content-security-policy"])
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert not [name for name in headers if name.startswith("access-control-")]


async def test_a_service_without_its_console_says_so(tmp_path):
    """And where everything else is."""
    status, headers, body = await get(tmp_path / "none", "/")

    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert "console" in body
    assert "/metrics" in body
    assert (await get(tmp_path / "none", "/databases"))[0] == 404


async def test_files_are_only_read(folder):
    """Nothing can be put there."""
    assert (await get(folder, "/index.html", "POST"))[0] == 405


async def test_large_files_travel_small(folder):
    """Where the browser says that it can read them."""
    (folder / "assets" / "large-1.js").write_text("run()\n" * 10_000)

    plain = await get(folder, "/assets/large-1.js")
    packed = await get(folder, "/assets/large-1.js", encoding="gzip")

    assert (packed[1]["content-encoding"], "content-encoding" in plain[1]) == ("gzip", False)
    assert len(packed[2]) < len(plain[2]) / 10
