"""docs/intent.md: its commands, run as they stand in an application's folder, on the gas sample and on a database that tells nothing."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from holdfast import Holdfast
from holdfast.intent.sources import read_intent
from holdfast.v1 import core_pb2 as core
from samples.load import load_sample, read_expected
from support.service import Service, every_relationship, final, register

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/intent.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^<!-- run: (\w+) -->\n```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PRINTED = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

#: The same two relationships of the gas sample in other languages: orders.pod_id, and wallets.customer_id with an action.
FILES = {
    "prisma": {
        "prisma/schema.prisma": """
        datasource db {
          provider     = "postgresql"
          relationMode = "prisma"
        }
        model orders {
          id     String  @id
          pod_id String?
          pod    pods?   @relation(fields: [pod_id], references: [id])
        }
        model pods {
          id     String   @id
          orders orders[]
        }
        model customers {
          id     String  @id
          wallet wallets?
        }
        model wallets {
          id         String    @id
          customerId String    @map("customer_id")
          customer   customers @relation(fields: [customerId], references: [id], onDelete: Restrict)
        }
        """
    },
    "rails": {
        "db/schema.rb": """
        ActiveRecord::Schema[7.1].define(version: 2026_02_14_000000) do
          create_table "pods", id: :uuid do |t|
          end
          create_table "orders", id: :uuid do |t|
            t.references :pod, type: :uuid
          end
          create_table "wallets", id: :uuid do |t|
            t.uuid "customer_id"
          end
          add_foreign_key "wallets", "customers", on_delete: :restrict
        end
        """
    },
    "sqlalchemy": {
        "models.py": """
        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        class Base(DeclarativeBase):
            pass

        class Pod(Base):
            __tablename__ = "pods"
            id: Mapped[str] = mapped_column(primary_key=True)

        class Customer(Base):
            __tablename__ = "customers"
            id: Mapped[str] = mapped_column(primary_key=True)

        class Order(Base):
            __tablename__ = "orders"
            id: Mapped[str] = mapped_column(primary_key=True)
            pod_id: Mapped[str] = mapped_column(ForeignKey("pods.id"))

        class Wallet(Base):
            __tablename__ = "wallets"
            id: Mapped[str] = mapped_column(primary_key=True)
            customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id", ondelete="RESTRICT"))
        """
    },
    "django": {
        "site_settings.py": 'INSTALLED_APPS = ["shop"]\nDEFAULT_AUTO_FIELD = "django.db.models.AutoField"\n',
        "shop/models.py": """
        from django.db import models

        class Pod(models.Model):
            class Meta:
                db_table = "pods"

        class Customer(models.Model):
            class Meta:
                db_table = "customers"

        class Order(models.Model):
            pod = models.ForeignKey(Pod, models.DO_NOTHING, db_constraint=False)
            class Meta:
                db_table = "orders"

        class Wallet(models.Model):
            customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False)
            class Meta:
                db_table = "wallets"
        """,
    },
}


@pytest.fixture
async def gas(database: str, client: Holdfast):
    """The gas sample, registered."""
    await load_sample(database, "gaztime")
    await register(client, "gas", database)
    yield client
    await client.remove_database("gas")


async def typed(service: Service, folder: Path, name: str) -> dict[str, str]:
    """Run the commands of a block in a folder; return what each printed."""
    environment = os.environ | {
        "HOLDFAST_SERVER": service.listen,
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }
    environment |= {"PYTHONPATH": f"{ROOT}/clients/python:{ROOT}/service"}
    printed = {}
    for line in (line for marker, body in BLOCKS if marker == name for line in body.splitlines()):
        program, *words = shlex.split(line)
        assert program == "holdfast"
        command = [sys.executable, "-m", "holdfast.cli", *words]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        printed[line] = done.stdout + done.stderr
    return printed


def lay_out(folder: Path, name: str) -> None:
    """Write the files of an application."""
    for path, content in FILES.get(name, {}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(textwrap.dedent(content).lstrip())
    (folder / "src/db").mkdir(parents=True)
    shutil.copy(ROOT / "tests/samples/gaztime/schema.ts", folder / "src/db/schema.ts")


async def test_the_drizzle_schema_of_the_gas_sample(service: Service, gas: Holdfast, tmp_path: Path):
    """All eleven keys, each with the place that declares it; the page prints what the command prints."""
    lay_out(tmp_path, "drizzle")

    printed = await typed(service, tmp_path, "drizzle")
    found = await every_relationship(gas, "gas")

    assert all(line in "".join(printed.values()) for text in PRINTED for line in text.splitlines())
    named = {
        (f"{each.referencing.table}.{each.referencing.columns[0]}", f"{each.referenced.table}.{each.referenced.columns[0]}")
        for each in found.values()
        if each.tier == core.TIER_PLAN and any(re.fullmatch(r"src/db/schema\.ts:\d+ declares it", said.text) for said in each.evidence)
    }
    assert named == {(each.referencing, each.referenced) for each in read_expected("gaztime").relationships}
    # The evidence that the page quotes is what people are shown.
    quoted = re.search(r"`(src/db/schema\.ts:\d+ declares it)`", PAGE)
    assert quoted is not None
    assert any(quoted[1] in text for line, text in printed.items() if line.startswith("holdfast relationships"))


@pytest.mark.parametrize("name", sorted(FILES))
async def test_every_other_source(service: Service, gas: Holdfast, tmp_path: Path, name: str):
    """Two relationships of the same database, one with RESTRICT where Holdfast by itself would say CASCADE."""
    lay_out(tmp_path, name)

    printed = await typed(service, tmp_path, name)
    found = await every_relationship(gas, "gas")

    assert any("declares 2 relationships." in text for text in printed.values())
    pod, wallet = (
        found[f"public.{columns}->public.{key}(id)"] for columns, key in (("orders(pod_id)", "pods"), ("wallets(customer_id)", "customers"))
    )
    assert [pod.evidence[0].rule, wallet.evidence[0].rule] == ["declared_by_application"] * 2
    assert pod.suggested_on_delete == core.ON_DELETE_SET_NULL
    assert wallet.suggested_on_delete == core.ON_DELETE_RESTRICT
    assert re.match(r"\S+:\d+ declares ON DELETE RESTRICT\.", wallet.rationale)


async def test_the_example_in_python(
    service: Service, gas: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """As it stands, but for the address."""
    lay_out(tmp_path, "prisma")
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(program.replace("127.0.0.1:7443", service.listen), names)  # noqa: S102 (our own page)

    await names["audit"]()

    assert "JOB_STATE_SUCCEEDED" in capsys.readouterr().out
    found = await every_relationship(gas, "gas")
    assert found["public.orders(pod_id)->public.pods(id)"].evidence[0].text == "prisma/schema.prisma:8 declares it"


async def test_names_that_tell_nothing(database: str, client: Holdfast, tmp_path: Path):
    """From Python: what only the application knows is counted and planned; what it names wrongly is a finding."""
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE t9 (k integer PRIMARY KEY); CREATE TABLE t1 (k integer PRIMARY KEY, a1 integer, a2 integer)")
    await connection.execute("INSERT INTO t1 VALUES (1, 7, 7)")
    await connection.close()
    (tmp_path / "schema.prisma").write_text(
        "model T1 {\n k Int @id\n a1 Int?\n r T9? @relation(fields: [a1], references: [k], onDelete: SetNull)\n"
        ' a3 Int?\n s T9? @relation("s", fields: [a3], references: [k])\n @@map("t1")\n}\n'
        'model T9 {\n k Int @id\n one T1[]\n two T1[] @relation("s")\n @@map("t9")\n}\n'
    )
    intent = read_intent(tmp_path / "schema.prisma")
    await register(client, "silent", database)

    await final(client.audit("silent", intent=intent.relationships))
    found = await every_relationship(client, "silent")
    findings = (await client.list_findings("silent")).findings
    plan = await client.plan("silent")
    await final(client.audit("silent"))
    after = await every_relationship(client, "silent")
    await client.remove_database("silent")

    (only,) = found.values()
    assert (only.id, only.tier, only.orphan_rows.value) == ("public.t1(a1)->public.t9(k)", core.TIER_PLAN, 1)
    assert only.suggested_on_delete == core.ON_DELETE_SET_NULL
    (unknown,) = [each for each in findings if each.kind == core.FINDING_KIND_UNKNOWN_INTENT]
    assert (unknown.table, unknown.part) == ("public.t1", "a3")
    assert [step.relationship_id for step in plan.steps if step.kind == core.STEP_KIND_ADD_FOREIGN_KEY] == [only.id]
    assert after == {}
