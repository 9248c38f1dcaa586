"""What Drizzle and Prisma themselves make of a schema is what we read from it. Needs their packages: `make node`."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from holdfast.intent.drizzle.read import from_drizzle
from holdfast.intent.files import Source
from holdfast.intent.prisma import from_prisma
from holdfast.v1.core_pb2 import OnDelete
from unit.intent.declarations import ROOT
from unit.intent.test_prisma import SHOP

NODE = ROOT / "tests/node/node_modules"

DRIZZLE = """
import { pgSchema, pgTable, pgTableCreator, foreignKey, integer, primaryKey, serial, text, type AnyPgColumn } from "drizzle-orm/pg-core";
import { relations } from "drizzle-orm";
const app = pgSchema("app");
const createTable = pgTableCreator((name) => `shop_${name}`);
const owned = { ownerId: integer("owner_id").references(() => users.id, { onDelete: "set default" }) };
export const users = app.table("users", (t) => ({ id: t.serial().primaryKey(), code: t.text("the_code").unique() })).enableRLS();
export const things = createTable("things", {
  id: serial().primaryKey(),
  ...owned,
  up: integer("parent").references((): AnyPgColumn => things.id, { onDelete: "restrict" }),
});
export const pair = pgTable("pair", { x: integer(), y: integer("why") }, (t) => [primaryKey({ columns: [t.x, t.y] })]);
export const a = pgTable("a", { p: integer(), q: integer(), "code-of": text() }, (t) => ({
  fk: foreignKey({ columns: [t.p, t.q], foreignColumns: [pair.x, pair.y] }).onUpdate("cascade").onDelete("cascade"),
}));
export const aRelations = relations(a, ({ one }) => ({
  by: one(users, { fields: [a["code-of"]], references: [users.code] }),
}));
"""

READ_DRIZZLE = """
import * as schema from "./schema";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { createTableRelationsHelpers, extractTablesRelationalConfig, is } from "drizzle-orm";
const found: any[] = [];
const names = (columns: any[]) => columns.map((column) => column.name);
for (const table of Object.values(schema).filter((each) => is(each as any, PgTable))) {
  for (const key of getTableConfig(table as any).foreignKeys) {
    const { columns, foreignColumns, foreignTable } = key.reference();
    const own = getTableConfig(table as any), goal = getTableConfig(foreignTable as any);
    found.push([own.schema ?? "", own.name, names(columns), goal.schema ?? "", goal.name, names(foreignColumns), key.onDelete ?? ""]);
  }
}
for (const table of Object.values(extractTablesRelationalConfig(schema as any, createTableRelationsHelpers).tables) as any[])
  for (const relation of Object.values(table.relations) as any[])
    if (relation.config?.fields) {
      const own = getTableConfig(relation.sourceTable), goal = getTableConfig(relation.referencedTable);
      const { fields, references } = relation.config;
      found.push([own.schema ?? "", own.name, names(fields), goal.schema ?? "", goal.name, names(references), ""]);
    }
console.log(JSON.stringify(found));
"""

READ_PRISMA = """
import { readFileSync } from "node:fs";
import prisma from "@prisma/prisma-schema-wasm";
const schema = [["schema.prisma", readFileSync("schema.prisma", "utf8")]];
const { datamodel } = JSON.parse(prisma.get_dmmf(JSON.stringify({ prismaSchema: schema, noColor: true })));
const models = Object.fromEntries(datamodel.models.map((model) => [model.name, model]));
const column = (model, name) => { const field = model.fields.find((each) => each.name === name); return field.dbName ?? field.name; };
const found = [];
for (const model of datamodel.models)
  for (const field of model.fields.filter((each) => each.relationFromFields?.length)) {
    const goal = models[field.type];
    found.push([model.schema ?? "", model.dbName ?? model.name, field.relationFromFields.map((each) => column(model, each)),
      goal.schema ?? "", goal.dbName ?? goal.name, field.relationToFields.map((each) => column(goal, each)), field.relationOnDelete ?? ""]);
  }
console.log(JSON.stringify(found));
"""


def run(folder: Path, program: list[str]) -> set[tuple[object, ...]]:
    """Run a program of Node in a folder that has the packages; return the relationships it prints."""
    (folder / "node_modules").symlink_to(NODE)
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return {
        (schema, table, tuple(columns), goal_schema, goal, tuple(keys), action.upper().replace(" ", "").replace("_", ""))
        for schema, table, columns, goal_schema, goal, keys, action in json.loads(done.stdout)
    }


def read(relationships: object) -> set[tuple[object, ...]]:
    return {
        (
            *(each.referencing.schema, each.referencing.table, tuple(each.referencing.columns)),
            *(each.referenced.schema, each.referenced.table, tuple(each.referenced.columns)),
            OnDelete.Name(each.on_delete).removeprefix("ON_DELETE_").replace("_", "") if each.on_delete else "",
        )
        for each in relationships
    }


@pytest.mark.skipif(not (NODE / ".bin/tsx").exists(), reason="needs Drizzle: make node")
@pytest.mark.parametrize("text", [DRIZZLE, (ROOT / "tests/samples/gaztime/schema.ts").read_text()], ids=["keys", "gas"])
def test_drizzle_sees_the_same(tmp_path, text):
    """Every key and relation with its columns and action; one that is written on the side that is pointed at, we turn."""
    (tmp_path / "schema.ts").write_text(text)
    (tmp_path / "read.ts").write_text(READ_DRIZZLE)

    truth = run(tmp_path, [str(NODE / ".bin/tsx"), "read.ts"])

    turned = {("", "users", ("id",), "", "drivers", ("user_id",), "")}
    assert truth - turned == read(from_drizzle([Source("schema.ts", text)]).relationships)


@pytest.mark.skipif(not (NODE / "@prisma/prisma-schema-wasm").exists(), reason="needs Prisma: make node")
def test_prisma_sees_the_same(tmp_path):
    """Every relation with its columns and action, but for views and the tables that Prisma makes by itself."""
    # Prisma 7 wants each field on one line, no url, a schema for everything, and the usual mode for all actions.
    text = re.sub(r"@relation\(\n.*?\n  \)", "@relation(fields: [userId], references: [id], onDelete: Restrict)", SHOP, flags=re.DOTALL)
    text = re.sub(r"\n  (url|relationMode) .*", "", text)
    for block in ("enum Role", "view Report"):
        text = re.sub(rf"({block} {{.*?)\n}}", r'\1\n  @@schema("public")\n}', text, flags=re.DOTALL)
    (tmp_path / "schema.prisma").write_text(text)
    (tmp_path / "read.mjs").write_text(READ_PRISMA)

    truth = run(tmp_path, [shutil.which("node") or "node", "read.mjs"])

    ours = {each for each in read(from_prisma([Source("schema.prisma", text)]).relationships) if each[1] != "_TagToUser"}
    assert {each for each in truth if each[1] != "Report"} == ours
