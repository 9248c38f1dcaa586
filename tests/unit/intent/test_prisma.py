"""Prisma schemas as people write them."""

from holdfast.intent.files import Source
from holdfast.intent.prisma import from_prisma
from unit.intent.declarations import lines

SHOP = """
generator client {
  provider        = "prisma-client-js"
  previewFeatures = ["multiSchema", "views"]
}

datasource db {
  provider     = "postgresql"
  url          = env("DATABASE_URL")
  relationMode = "prisma"
  schemas      = ["public", "billing"]
}

enum Role {
  ADMIN
  USER @map("user")
}

/// Whoever may log in. // not a relation: @relation(fields: [x], references: [y])
model User {
  id        String    @id @default(dbgenerated("gen_random_uuid()")) @db.Uuid
  email     String    @unique
  role      Role      @default(USER)
  managerId String?   @map("manager_id") @db.Uuid
  manager   User?     @relation("Management", fields: [managerId], references: [id], onDelete: SetNull, onUpdate: NoAction)
  reports   User[]    @relation("Management")
  orders    Order[]
  profile   Profile?
  tags      Tag[]
  shown     Report[]

  @@map("users")
  @@schema("public")
}

model Profile {
  userId String @id @map("user_id") @db.Uuid
  user   User   @relation(fields: [userId], references: [id], onDelete: Cascade)

  @@schema("public")
}

model Order {
  tenant  Int
  number  Int
  userId  String  @map("user_id")
  /* several
     lines */
  user    User    @relation(
    fields: [userId], // whose
    references: [id],
    onDelete: Restrict
  )
  lines   OrderLine[]

  @@id([tenant, number])
  @@index([userId(sort: Desc), number], map: "orders_user_idx")
  @@map(name: "orders")
  @@schema("billing")
}

model OrderLine {
  id      Int   @id @default(autoincrement())
  tenant  Int
  number  Int   @map("order_number")
  order   Order @relation(fields: [tenant, number], references: [tenant, number], onDelete: NoAction, map: "fk_line")
  meta    Json? @default("{\\"a\\": [1]}")

  @@map("order_lines")
  @@schema("billing")
}

model Tag {
  id    Int    @id
  users User[]
  @@schema("public")
}

view Report {
  userId String @unique
  user   User   @relation(fields: [userId], references: [id])
}
"""


def test_a_schema_in_relation_mode_prisma():
    """Mapped names, schemas, actions, several columns, several lines, and the join table of an implicit relation."""
    intent = from_prisma([Source("prisma/schema.prisma", SHOP)])

    assert lines(intent.relationships) == [
        "public.users(manager_id) -> public.users(id) SET_NULL @ prisma/schema.prisma:25",
        "_TagToUser(A) -> public.Tag(id) CASCADE @ prisma/schema.prisma:29",
        "_TagToUser(B) -> public.users(id) CASCADE @ prisma/schema.prisma:29",
        "public.Profile(user_id) -> public.users(id) CASCADE @ prisma/schema.prisma:38",
        "billing.orders(user_id) -> public.users(id) RESTRICT @ prisma/schema.prisma:49",
        "billing.order_lines(tenant, order_number) -> billing.orders(tenant, number) NO_ACTION @ prisma/schema.prisma:66",
    ]
    assert intent.unread == ()


def test_a_schema_in_several_files():
    """Models know each other across the files of a folder."""
    user = Source("schema/user.prisma", "model User {\n  id Int @id\n posts Post[]\n}")
    post = Source(
        "schema/post.prisma", "model Post {\r\n  id Int @id\r\n  by Int\r\n  author User @relation(fields: [by], references: [id])\r\n}"
    )

    assert lines(from_prisma([user, post]).relationships) == ["Post(by) -> User(id) @ schema/post.prisma:4"]


def test_a_named_relation_of_a_model_with_itself():
    """Friends on both sides: A and B both mean users; the table has the relation's name."""
    text = 'model User {\n id Int @id\n friends User[] @relation("Friends")\n friendOf User[] @relation(name: "Friends")\n}'

    assert lines(from_prisma([Source("s.prisma", text)]).relationships) == [
        "_Friends(A) -> User(id) CASCADE @ s.prisma:3",
        "_Friends(B) -> User(id) CASCADE @ s.prisma:3",
    ]


def test_what_cannot_be_read_is_said():
    """A field that is not there, a relation to a view, a schema for another product."""
    text = """datasource db {
  provider = "mysql"
}
model A {
  id Int @id
  b  B   @relation(fields: [bId], references: [id])
  vId Int
  v  V   @relation(fields: [vId], references: [id])
}
model B { id Int @id }
view V {
  id Int @unique
}
"""
    intent = from_prisma([Source("s.prisma", text)])

    assert intent.relationships == ()
    assert [tuple(each) for each in intent.unread] == [
        ("s.prisma:1", "the schema is for mysql, not for PostgreSQL"),
        ("s.prisma:6", "A.b names bId, which is no field"),
        ("s.prisma:8", "A.v points at the view V, which has no key"),
    ]
