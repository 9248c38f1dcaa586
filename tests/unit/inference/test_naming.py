"""What a schema teaches about its own names."""

from holdfastd.inference.naming.entities import taken_apart
from holdfastd.inference.naming.learn import is_bookkeeping, learn
from holdfastd.names import TableName
from support.builders import a_catalog, a_table, table_name


def test_glued_words_are_taken_apart_with_the_words_of_the_schema():
    """`workorderid` is work, order, id when the schema knows work and order, and one word when it does not."""
    assert taken_apart(("workorderid",), frozenset({"work", "order"})) == ("work", "order", "id")
    assert taken_apart(("workorderid",), frozenset({"work"})) == ("workorderid",)


def test_a_word_that_many_tables_start_with_is_a_module():
    """`auth` before three tables is a module's prefix; the own words are the rest."""
    naming = learn(a_catalog(a_table("auth_user"), a_table("auth_group"), a_table("auth_token"), a_table("orders")))
    assert naming.entities[table_name("auth_user")].own == ("user",)
    assert naming.entities[table_name("orders")].own == ("order",)


def test_a_table_is_no_module():
    """`order` before `order_items`, `order_events` and `order_notes` is the table `orders`, not a module."""
    naming = learn(a_catalog(a_table("orders"), a_table("order_items"), a_table("order_events"), a_table("order_notes")))
    assert naming.entities[table_name("order_items")].own == ("order", "item")


def test_a_doubled_word_is_a_module():
    """`channel_channel` is the channel of the module channel."""
    naming = learn(a_catalog(a_table("channel_channel"), a_table("page_page")))
    assert naming.entities[table_name("channel_channel")].own == ("channel",)


def test_a_first_word_shared_by_all_columns_is_a_column_prefix():
    """Columns of TPC-H's lineitem all start with l, which says nothing."""
    naming = learn(a_catalog(a_table("lineitem", "l_orderkey int", "l_partkey int", "l_quantity int", key=())))
    entity = naming.entities[table_name("lineitem")]
    assert entity.column_prefix == "l"
    assert ("orderkey",) in entity.column_names


def test_a_name_can_list_other_tables():
    """`l_artist_work` is made of artist and work, in this order."""
    naming = learn(a_catalog(a_table("artist"), a_table("work"), a_table("l_artist_work")))
    assert [entity.table.name.name for entity in naming.made_of[table_name("l_artist_work")]] == ["artist", "work"]


def test_migration_tools_and_backups_are_left_out():
    """Tables that tools keep their books in, and backup copies, are no part of the schema."""
    names = ("schema_migrations", "flyway_schema_history", "_backup_orders", "knex_migrations_lock", "alembic_version", "DJANGO_MIGRATIONS")
    assert all(is_bookkeeping(TableName("public", name)) for name in names)
    assert not is_bookkeeping(TableName("public", "backups"))
