"""Rails schemas as Rails dumps them, and as people write them."""

import pytest

from holdfast.intent.files import Source
from holdfast.intent.inflection import plurals, singulars
from holdfast.intent.rails import from_rails
from unit.intent.declarations import lines

SCHEMA = """# This file is auto-generated from the current state of the database.
ActiveRecord::Schema[7.1].define(version: 2026_02_14_000000) do
  enable_extension "pgcrypto"

  create_table "users", id: :uuid, default: -> { "gen_random_uuid()" }, force: :cascade do |t|
    t.string "email", null: false
    t.datetime "created_at", precision: nil
    t.index ["email"], name: "index_users_on_email", unique: true
  end

  create_table "categories", primary_key: "code", id: :string, force: :cascade do |t|
    t.string "parent_code"
  end

  create_table :people do |t|
    t.timestamps
  end

  create_table "billing.invoices", force: :cascade do |t|
    t.bigint "order_id"
  end

  create_table "orders", comment: "it's \\"quoted\\"", force: :cascade do |t|
    t.references :user, null: false, type: :uuid, foreign_key: { on_delete: :cascade }
    t.belongs_to :buyer, foreign_key: { to_table: :users, on_delete: :nullify, primary_key: "id" }
    t.references :subject, polymorphic: true, index: true
    t.references :person
    t.references :gizmo
    t.column "category_id", :string
    t.bigint "approver_id"
  end

  add_reference :orders, :category, foreign_key: true
  add_foreign_key "orders", "categories", primary_key: "code", on_delete: :restrict
  add_foreign_key "orders", "users", column: "approver_id"
  add_foreign_key "billing.invoices", "orders"
  add_foreign_key "categories", "categories", column: "parent_code", primary_key: "code", name: "fk_rails_1"
  add_foreign_key "pairs", "others", column: ["a", "b"], primary_key: ["x", "y"]
  add_foreign_key "orders", "planets"
end
"""


def test_a_schema():
    """References and foreign keys, named or derived; polymorphic ones are none; what is not sure is said."""
    intent = from_rails([Source("db/schema.rb", SCHEMA)])

    assert lines(intent.relationships) == [
        "orders(user_id) -> users() CASCADE @ db/schema.rb:24",
        "orders(buyer_id) -> users(id) SET_NULL @ db/schema.rb:25",
        "orders(person_id) -> people() @ db/schema.rb:27",
        "orders(category_id) -> categories() @ db/schema.rb:33",
        "orders(category_id) -> categories(code) RESTRICT @ db/schema.rb:34",
        "orders(approver_id) -> users() @ db/schema.rb:35",
        "billing.invoices(order_id) -> orders() @ db/schema.rb:36",
        "categories(parent_code) -> categories(code) @ db/schema.rb:37",
        "pairs(a, b) -> others(x, y) @ db/schema.rb:38",
    ]
    assert [tuple(each) for each in intent.unread] == [
        ("db/schema.rb:28", "no table of this file is named after gizmo_id of orders; to_table would say which"),
        ("db/schema.rb:39", "which column of orders references planets is not said, and none is named after it"),
    ]


def test_nothing_is_run(tmp_path):
    """A schema is a program, and stays a text here."""
    trap = tmp_path / "trap"
    text = f'create_table "users" do |t|\n  t.references `touch {trap}`\n  t.references "#{{File.write(\'{trap}\', 1)}}"\nend\n'

    assert from_rails([Source("schema.rb", text)]).relationships == ()
    assert not trap.exists()


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        *(("user", "users"), ("category", "categories"), ("address", "addresses"), ("status", "statuses"), ("box", "boxes")),
        *(("person", "people"), ("sales_person", "sales_people"), ("wife", "wives"), ("shelf", "shelves"), ("day", "days")),
        *(("branch", "branches"), ("hero", "heroes"), ("analysis", "analyses"), ("series", "series"), ("house", "houses")),
    ],
)
def test_singular_and_plural(singular, plural):
    """The right form is among the guesses; whoever guesses checks that it exists."""
    assert plural in plurals(singular)
    assert singular in singulars(plural)
