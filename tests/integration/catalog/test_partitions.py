"""Keys that partitions have and their root lacks, on every version."""

from holdfastd.catalog.model import Catalog, Partition, Table
from holdfastd.catalog.read import read_catalog
from holdfastd.inference.hints.weigh import weigh_partitions
from holdfastd.names import ColumnSet, TableName
from holdfastd.target.session import connect

_TABLES = """
CREATE TABLE public.r (id integer PRIMARY KEY);
CREATE TABLE public.t (r_id integer, at integer, also integer) PARTITION BY RANGE (at);
CREATE TABLE public.t1 PARTITION OF public.t FOR VALUES FROM (0) TO (10);
CREATE TABLE public.t2 (spare integer, at integer, also integer, r_id integer);
ALTER TABLE public.t2 DROP COLUMN spare;
ALTER TABLE public.t ATTACH PARTITION public.t2 FOR VALUES FROM (10) TO (20);
CREATE TABLE public.t3 PARTITION OF public.t FOR VALUES FROM (20) TO (40) PARTITION BY RANGE (at);
CREATE TABLE public.t31 PARTITION OF public.t3 FOR VALUES FROM (20) TO (30);
CREATE TABLE public.t32 PARTITION OF public.t3 FOR VALUES FROM (30) TO (40);
"""


async def catalog_of(dsn: str, sql: str) -> Catalog:
    connection = await connect(dsn, application_name="test", read_only=False)
    try:
        await connection.execute(_TABLES + sql)
        return await read_catalog(connection)
    finally:
        await connection.close()


def root_of(catalog: Catalog) -> Table:
    return catalog.tables[TableName("public", "t")]


def keys_of(partitions: tuple[Partition, ...]) -> dict[str, list[str]]:
    return {partition.name.name: [f"{key.referencing}->{key.referenced}" for key in partition.foreign_keys] for partition in partitions}


async def test_keys_of_partitions_are_told_with_all_leaves(any_database: str) -> None:
    """A key of a partition, whatever its column's number there, and one that a partition's own partitions inherit from it."""
    catalog = await catalog_of(
        any_database,
        """
        ALTER TABLE public.t2 ADD FOREIGN KEY (r_id) REFERENCES public.r ON DELETE CASCADE NOT VALID;
        ALTER TABLE public.t3 ADD FOREIGN KEY (r_id) REFERENCES public.r;
        """,
    )

    root = root_of(catalog)
    assert keys_of(root.partitions) == {
        "t1": [],
        "t2": ["public.t2(r_id)->public.r(id)"],
        "t31": ["public.t31(r_id)->public.r(id)"],
        "t32": ["public.t32(r_id)->public.r(id)"],
    }
    (key,) = root.partitions[1].foreign_keys
    assert (key.on_delete, key.validated, key.operators[0].name) == ("CASCADE", False, "=")
    assert root.foreign_keys == catalog.foreign_keys == ()


async def test_what_comes_from_the_root_is_not_the_partitions_own(any_database: str) -> None:
    """Neither the copies of the root's key, nor those that a partitioned referenced table adds."""
    catalog = await catalog_of(
        any_database,
        """
        CREATE TABLE public.split (id integer PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE public.split1 PARTITION OF public.split FOR VALUES FROM (0) TO (10);
        CREATE TABLE public.split2 PARTITION OF public.split FOR VALUES FROM (10) TO (20);
        ALTER TABLE public.t ADD FOREIGN KEY (r_id) REFERENCES public.split;
        ALTER TABLE public.t1 ADD FOREIGN KEY (also) REFERENCES public.split;
        """,
    )

    root = root_of(catalog)
    assert [str(key.referencing) for key in root.foreign_keys] == ["public.t(r_id)"]
    assert keys_of(root.partitions) == {"t1": ["public.t1(also)->public.split(id)"], "t2": [], "t31": [], "t32": []}


async def test_alike_partitions_are_not_listed(any_database: str) -> None:
    """A root whose partitions have nothing of their own says it all."""
    catalog = await catalog_of(any_database, "ALTER TABLE public.t ADD FOREIGN KEY (r_id) REFERENCES public.r")

    assert root_of(catalog).partitions == ()
    assert len(catalog.foreign_keys) == 1


async def test_partitions_speak_for_their_root(any_database: str) -> None:
    """Most have the key: the root should."""
    catalog = await catalog_of(
        any_database,
        "ALTER TABLE public.t1 ADD FOREIGN KEY (also) REFERENCES public.r; ALTER TABLE public.t3 ADD FOREIGN KEY (also) REFERENCES public.r",
    )

    (found,) = weigh_partitions(catalog, ())
    assert found.referencing == ColumnSet(TableName("public", "t"), ("also",))
    assert found.targets[0].referenced == ColumnSet(TableName("public", "r"), ("id",))
    assert [each.text for each in found.targets[0].evidence] == ["declared on 3 of 4 partitions"]
