"""The TypeScript client: what is committed is what the contract generates, and the example does what it says."""

import asyncio
import filecmp
import os
import shutil
from pathlib import Path

import pytest

from holdfast import Holdfast
from samples.load import load_sample
from support.proxy import proxied
from support.service import Service, register

CLIENT = Path(__file__).parents[2] / "clients" / "typescript"
TOOLS = CLIENT / "node_modules" / ".bin"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (TOOLS / "tsc").exists(),
    reason="Node or the client's packages are not installed: `make node`",
)


async def run(*command: str, folder: Path = CLIENT, **environment: str) -> tuple[int, str, str]:
    """Run a program of Node's; exit code, output, complaints."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaints = await asyncio.wait_for(process.communicate(), timeout=120)
    return process.returncode or 0, out.decode(), complaints.decode()


@pytest.fixture(scope="module")
async def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the client, compiled; its packages are those of the checkout."""
    copy = tmp_path_factory.mktemp("client")
    for name in ("src", "examples", "package.json", "tsconfig.json"):
        (shutil.copytree if (CLIENT / name).is_dir() else shutil.copy)(CLIENT / name, copy / name)
    (copy / "node_modules").symlink_to(CLIENT / "node_modules")
    code, out, _ = await run("tsc", "-p", ".", folder=copy)
    assert code == 0, out
    return copy


@pytest.mark.skipif(not (TOOLS / "buf").exists(), reason="buf is not installed: `make node`")
async def test_generated_code_is_that_of_the_contract(tmp_path: Path) -> None:
    """Stale code is found here, and written anew by `make typescript`."""
    code, _, complaints = await run("buf", "generate", "--output", str(tmp_path))
    assert code == 0, complaints

    fresh, committed = tmp_path / "src" / "gen", CLIENT / "src" / "gen"
    names = {str(path.relative_to(folder)) for folder in (fresh, committed) for path in folder.rglob("*.ts")}
    equal, *different = filecmp.cmpfiles(fresh, committed, sorted(names), shallow=False)

    assert different == [[], []]
    assert len(equal) > 10


async def test_the_example_audits_and_tells_what_it_found(built: Path, service: Service, client: Holdfast, database: str) -> None:
    """Events while it works, then findings; exit code 1, because there are some."""
    await load_sample(database, "ev_charging")
    await register(client, "typed", database)
    code, out, complaints = await run("node", "examples/audit.js", "typed", folder=built, HOLDFAST_SERVER=service.listen)
    await client.remove_database("typed")

    assert (code, complaints) == (1, "")
    assert "\nERROR: " in out
    assert "8 rows of public.reports" in out


async def test_the_example_tells_reasons(built: Path, service: Service) -> None:
    """The reason of an error comes out of its details, typed; exit code 2."""
    code, _, complaints = await run("node", "examples/audit.js", "nobody", folder=built, HOLDFAST_SERVER=service.listen)

    assert (code, complaints.partition(":")[0]) == (2, "DATABASE_NOT_FOUND")


async def test_a_token_is_not_sent_in_plaintext(built: Path) -> None:
    """To another machine, unless that was asked for by its name."""
    script = """
        import { Holdfast } from "@holdfast/client";
        for (const address of ["127.0.0.1:1", "[::1]:1", "localhost:1", "holdfast.example:7443"]) {
          try { new Holdfast(address, { token: "secret" }).close(); console.log("connects"); } catch (error) { console.log(error.message); }
        }
    """
    code, out, complaints = await run("node", "--input-type=module", "--eval", script, folder=built)

    assert (code, complaints) == (0, "")
    *connects, refused = out.splitlines()
    assert connects == ["connects"] * 3
    assert "plaintext" in refused
    assert "secret" not in out


async def test_following_survives_a_cut(built: Path, service: Service, client: Holdfast, database: str) -> None:
    """Every event once, in order, although the connection was reset at the first message."""
    await load_sample(database, "ev_charging")
    await register(client, "cut", database)
    (built / "follow.mjs").write_text(FOLLOW)
    async with proxied(int(service.listen.rpartition(":")[2])) as proxy:
        environment = {**os.environ, "HOLDFAST_SERVER": f"127.0.0.1:{proxy.port}"}
        following = await asyncio.create_subprocess_exec(
            "node", "follow.mjs", "cut", cwd=built, env=environment, stdout=asyncio.subprocess.PIPE
        )
        assert following.stdout is not None
        first = await following.stdout.readline()
        proxy.reset()
        out, _ = await asyncio.wait_for(following.communicate(), timeout=60)
    await client.remove_database("cut")

    *events, end = out.decode().split()
    assert (first, end) == (b"snapshot\n", "final:SUCCEEDED")
    assert events == [f"event:{number}" for number in range(1, len(events) + 1)]
    assert len(events) > 1


async def test_following_goes_on_with_a_renewed_token(built: Path) -> None:
    """A stream that was welcome and then is not goes on once the token is renewed; who was never welcome is told at once."""
    (built / "renew.mjs").write_text(RENEW)
    code, out, complaints = await run("node", "renew.mjs", folder=built)

    assert (code, complaints) == (0, "")
    assert out.split() == ["snapshot", "event:1", "final", "calls:2", "Unauthenticated", "calls:1"]


def test_every_service_has_its_client() -> None:
    """A new file of the contract is found here."""
    source = (CLIENT / "src" / "index.ts").read_text(encoding="utf-8")
    modules = [path.stem for path in (CLIENT / "src" / "gen" / "holdfast" / "v1").glob("*_service_pb.ts")]

    assert len(modules) > 10
    assert [name for name in modules if f"/{name}.js" not in source] == []


RENEW = """
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { follow } from "@holdfast/client";
import { JobService } from "@holdfast/client/gen/holdfast/v1/job_service_pb";

async function told(answers) {
  let calls = 0;
  const transport = createRouterTransport(({ service }) => service(JobService, { watchJob: (request) => answers(++calls, request) }));
  try {
    for await (const { payload } of follow(createClient(JobService, transport), "job-1")) {
      console.log(payload.case === "event" ? `event:${payload.value.sequence}` : payload.case);
    }
  } catch (error) {
    console.log(Code[error.code]);
  }
  console.log(`calls:${calls}`);
}

const refused = new ConnectError("Who are you?", Code.Unauthenticated);
await told(async function* (call, { resumeToken }) {
  yield { payload: { case: "snapshot", value: {} }, resumeToken: "0" };
  if (call === 1) {
    yield { payload: { case: "event", value: { sequence: 1n } }, resumeToken: "1" };
    throw refused;
  }
  if (resumeToken === "1") yield { payload: { case: "final", value: {} }, resumeToken: "1" };
});
await told(async function* () {
  throw refused;
});
"""

FOLLOW = """
import { Holdfast } from "@holdfast/client";
import { JobState } from "@holdfast/client/gen/holdfast/v1/core_pb";
const holdfast = new Holdfast(process.env.HOLDFAST_SERVER);
const { job } = await holdfast.audits.startAudit({ database: process.argv[2], requestId: crypto.randomUUID() });
for await (const { payload } of holdfast.follow(job.id)) {
  if (payload.case === "event") console.log(`event:${payload.value.sequence}`);
  if (payload.case === "snapshot") console.log("snapshot");
  if (payload.case === "final") console.log(`final:${JobState[payload.value.state]}`);
}
holdfast.close();
"""


async def test_the_page_shows_the_example(built: Path, service: Service, client: Holdfast, database: str) -> None:
    """What docs/clients.md quotes is in the file and in what it prints."""
    page = (CLIENT.parents[1] / "docs" / "clients.md").read_text(encoding="utf-8")
    code, output = (page.partition("## TypeScript")[2].partition(f"```{language}\n")[2].partition("```")[0] for language in ("js", "text"))
    await load_sample(database, "ev_charging")
    await register(client, "shown", database)
    _, out, _ = await run("node", "examples/audit.js", "shown", folder=built, HOLDFAST_SERVER=service.listen)
    await client.remove_database("shown")

    assert code == (CLIENT / "examples" / "audit.js").read_text(encoding="utf-8")
    assert len(output.splitlines()) > 3
    assert [line for line in output.splitlines() if line not in out.splitlines()] == []


@pytest.mark.skipif(not (TOOLS / "buf").exists(), reason="buf is not installed: `make node`")
async def test_the_recipe_for_other_languages_generates(tmp_path: Path) -> None:
    """The configuration of docs/clients.md, as it stands there."""
    root = CLIENT.parents[1]
    page = (root / "docs" / "clients.md").read_text(encoding="utf-8")
    (tmp_path / "buf.gen.yaml").write_text(page.partition("## Other languages")[2].partition("```yaml\n")[2].partition("```")[0])
    (tmp_path / "holdfast").mkdir()
    (tmp_path / "holdfast" / "proto").symlink_to(root / "proto")

    code, _, complaints = await run("buf", "generate", folder=tmp_path)

    assert code == 0, complaints
    assert (tmp_path / "gen" / "holdfast" / "v1" / "job_service_pb.js").exists()
