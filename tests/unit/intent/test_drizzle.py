"""Drizzle schemas as people write them."""

import pytest

from holdfast.intent.drizzle.read import from_drizzle
from holdfast.intent.drizzle.tables import camel_case, snake_case
from holdfast.intent.files import Source
from holdfast.intent.sources import read_intent
from samples.load import read_expected
from unit.intent.declarations import ROOT, lines


def read(text: str, **options: str) -> list[str]:
    intent = from_drizzle([Source("schema.ts", text)], **options)
    assert intent.unread == ()
    return lines(intent.relationships)


def test_the_gas_schema_with_relations_only():
    """Its database declares nothing, its Drizzle schema all eleven; a relation written on both sides counts once."""
    intent = read_intent(ROOT / "tests/samples/gaztime/schema.ts")

    found = {
        f"{each.referencing.table}.{each.referencing.columns[0]} {each.referenced.table}.{each.referenced.columns[0]}"
        for each in intent.relationships
    }
    assert found == {f"{each.referencing} {each.referenced}" for each in read_expected("gaztime").relationships}
    assert len(intent.relationships) == 11
    assert intent.unread == ()


def test_references_of_columns():
    """With an action, a return type, brackets around names, casts; the line is that of the method."""
    text = """
import { pgTable as table, uuid, type AnyPgColumn } from "drizzle-orm/pg-core";
export const users = table("users", { id: uuid("id").primaryKey() }).enableRLS();
export const posts = table("posts", {
  id: uuid("id").primaryKey(),
  author: uuid("author_id")
    .notNull()
    .references(() => users.id, { onDelete: "set null", onUpdate: "cascade" }),
  parent: uuid("parent_id").references((): AnyPgColumn => posts.id),
  editor: uuid('editor_id').references(() => { return (users as any)["id"]; }, { onDelete: `cascade` }),
});
"""
    assert read(text) == [
        "posts(author_id) -> users(id) SET_NULL @ schema.ts:8",
        "posts(parent_id) -> posts(id) @ schema.ts:9",
        "posts(editor_id) -> users(id) CASCADE @ schema.ts:10",
    ]


def test_schemas_prefixes_and_columns_by_function():
    """pgSchema().table, pgTableCreator, columns from a function, columns spread from elsewhere."""
    text = """
import { pgSchema, pgTableCreator } from "drizzle-orm/pg-core";
const app = pgSchema("app");
const createTable = pgTableCreator((name) => `shop_${name}`);
const owned = { ownerId: uuid("owner_id").references(() => users.id) };
export const users = app.table("users", (t) => ({ id: t.uuid().primaryKey() }));
export const things = createTable("things", { id: serial().primaryKey(), ...owned });
"""
    assert read(text) == ["shop_things(owner_id) -> app.users(id) @ schema.ts:5"]


def test_foreign_keys_of_several_columns():
    """foreignKey() in a list or an object, with its action chained on."""
    text = """
export const pair = pgTable("pair", { x: integer(), y: integer("why") }, (t) => [primaryKey({ columns: [t.x, t.y] })]);
export const a = pgTable("a", { p: integer(), q: integer() }, (t) => [
  foreignKey({ columns: [t.p, t.q], foreignColumns: [pair.x, pair.y], name: "fk" }).onUpdate("cascade").onDelete("restrict"),
]);
export const b = pgTable("b", { id: integer().primaryKey(), up: integer() }, (table) => ({
  self: foreignKey({ columns: [table.up], foreignColumns: [table.id] }),
}));
"""
    assert read(text) == ["a(p, q) -> pair(x, why) RESTRICT @ schema.ts:4", "b(up) -> b(id) @ schema.ts:7"]


def test_the_side_that_is_a_key_is_pointed_at():
    """A relation may be written on either side, by relations() and by defineRelations(); a join table has two."""
    text = """
export const users = pgTable("users", { id: serial().primaryKey(), email: text().unique() });
export const profiles = pgTable("profiles", { id: serial().primaryKey(), userId: integer("user_id"), email: text() });
export const tags = pgTable("tags", { id: serial().primaryKey() });
export const tagged = pgTable("tagged", { user: integer(), tag: integer() });
export const usersRelations = relations(users, (to) => ({
  profile: to.one(profiles, { fields: [users.id], references: [profiles.userId] }),
  mail: to.one(profiles, { fields: [users.email], references: [profiles.email] }),
}));
export const all = defineRelations({ users, profiles, tags, tagged }, (r) => ({
  users: {
    profile: r.one.profiles({ from: r.users.id, to: r.profiles.userId }),
    tags: r.many.tags({ from: r.users.id.through(r.tagged.user), to: r.tags.id.through(r.tagged.tag) }),
  },
}));
"""
    assert read(text) == [
        "profiles(user_id) -> users(id) @ schema.ts:7",
        "profiles(email) -> users(email) @ schema.ts:8",
        "tagged(user) -> users(id) @ schema.ts:13",
        "tagged(tag) -> tags(id) @ schema.ts:13",
    ]


def test_a_schema_in_several_files():
    """Imports, with other names and as a whole; a table of the same name elsewhere is not meant."""
    sources = [
        Source("db/old/users.ts", 'export const users = pgTable("old_users", { id: serial().primaryKey() });'),
        Source("db/users.ts", 'export const users = pgTable("users", { id: serial().primaryKey() });'),
        Source("db/posts.ts", 'import { users as people } from "./users";\n'
               'export const posts = pgTable("posts", { by: integer().references(() => people.id) });'),
        Source("db/relations.ts", 'import * as schema from "./index";\nimport { relations as rel } from "drizzle-orm";\n'
               "export const r = rel(schema.posts, ({ one }) => ({ t: one(schema.tags, { fields: [schema.posts.by], references: [schema.tags.id] }) }));"),
        Source("src/tags.ts", 'export const tags = pgTable("tags", { id: serial().primaryKey() });'),
    ]  # fmt: skip

    assert lines(from_drizzle(sources).relationships) == [
        "posts(by) -> users(id) @ db/posts.ts:2",
        "posts(by) -> tags(id) @ db/relations.ts:3",
    ]


@pytest.mark.parametrize(
    ("extra", "options", "column"),
    [
        ("", {}, "ownerID"),
        ("", {"casing": "snake_case"}, "owner_id"),
        ("const db = drizzle(pool, { casing: 'snake_case' });", {}, "owner_id"),
        ("const db = drizzle(pool, { casing: 'snake_case' });", {"casing": ""}, "ownerID"),
    ],
)
def test_columns_without_names_follow_the_casing(extra, options, column):
    """As a file of the schema says, unless the caller does."""
    text = f"""{extra}
export const users = pgTable("users", {{ id: serial().primaryKey() }});
export const things = pgTable("things", {{ ownerID: integer().references(() => users.id) }});
"""
    assert read(text, **options) == [f"things({column}) -> users(id) @ schema.ts:3"]


@pytest.mark.parametrize(
    ("name", "snake", "camel"),
    [("createdAt", "created_at", "createdAt"), ("userID", "user_id", "userId"), ("user_name2", "user_name2", "userName2"), ("x", "x", "x")],
)
def test_casing_is_that_of_drizzle(name, snake, camel):
    """Its two functions, word by word."""
    assert snake_case(name) == snake
    assert camel_case(snake) == camel


def test_what_cannot_be_read_is_said():
    """Tables of another product, computed names, columns that are elsewhere, relations that hold for some rows."""
    text = """
export const m = mysqlTable("m", { id: int().primaryKey() });
export const c = pgTable(nameOf("c"), { id: serial().primaryKey() });
export const a = pgTable("a", { id: serial().primaryKey(), x: integer().references(() => elsewhere.id) });
export const aRelations = relations(a, ({ one }) => ({ y: one(b, { fields: [a.id], references: [b.id] }) }));
export const all = defineRelations({ a }, (r) => ({ a: { z: r.one.a({ from: r.a.x, to: r.a.id, where: { kind: "a" } }) } }));
"""
    intent = from_drizzle([Source("schema.ts", text)])

    assert intent.relationships == ()
    assert [tuple(each) for each in intent.unread] == [
        ("schema.ts:2", "m is not of PostgreSQL (mysqlTable)"),
        ("schema.ts:3", "the name of table c is computed"),
        ("schema.ts:4", "a.x references what is not in these files"),
        ("schema.ts:5", "relation y of a names columns that are not in these files"),
        ("schema.ts:6", "relation z of a holds for some rows only"),
    ]
