"""What the role may do with the tables, and what their owners will need once keys are enforced."""

from collections.abc import Iterator, Mapping, Sequence

import asyncpg

from holdfastd.catalog.model import OnDelete
from holdfastd.errors import Reason
from holdfastd.names import ColumnSet, TableName, identifier, identifiers, qualified, readable
from holdfastd.target.access import SchemaAccess, TableAccess, read_role, read_schema_access, read_table_access
from holdfastd.target.preflight.check import Check, blocks_application, blocks_audit, grant, passed, some
from holdfastd.target.preflight.needs import Key, Needs

Tables = Mapping[TableName, TableAccess]
_MAINTAIN_MAJOR = 17
#: From here on, inheriting belongs to the grant, not to the role.
_INHERIT_MAJOR = 16


async def check_privileges(connection: asyncpg.Connection, needs: Needs) -> list[Check]:
    """Check what the needs take, passed checks included."""
    role, major = await read_role(connection), connection.get_server_version().major
    tables = {access.table: access for access in await read_table_access(connection, needs.tables)}
    schemas = await read_schema_access(connection, needs.schemas)
    checks = [
        _schema_usage(role, schemas),
        _select(role, tables),
        _row_security(role, tables),
        _ownership(role, _chosen(tables, needs.altered), major),
        _references(role, tables, needs.referenced),
        _index_builds(role, [schema for schema in schemas if schema.name in needs.building_schemas]),
    ]
    if needs.share_locked:
        checks.append(_share_lock(role, _chosen(tables, needs.share_locked), major))
    if needs.keys:
        checks.append(_owners_rights(tables, needs.keys))
    return checks


def _chosen(tables: Tables, names: Sequence[TableName]) -> list[TableAccess]:
    return [tables[name] for name in names if name in tables]


def _schema_usage(role: str, schemas: Sequence[SchemaAccess]) -> Check:
    name, closed = "schema_usage", [schema.name for schema in schemas if not schema.may_use]
    if not closed:
        return passed(name, "All schemas may be used.")
    seen = f"Role {identifier(role)} may not use {some(map(readable, closed), 'schema')}; their tables cannot be counted."
    return blocks_audit(name, Reason.MISSING_PRIVILEGE, seen, f"GRANT USAGE ON SCHEMA {identifiers(closed)} TO {identifier(role)}")


def _select(role: str, tables: Tables) -> Check:
    """Without SELECT, validating a key would also take eight times as long: PostgreSQL then checks row by row, and does not say so."""
    name, unreadable = "select", [table for table, access in tables.items() if not access.may_select]
    if not unreadable:
        return passed(name, "All tables may be read.")
    seen = f"Role {identifier(role)} may not read {some(map(str, unreadable), 'table')}; their rows cannot be counted."
    return blocks_audit(name, Reason.MISSING_PRIVILEGE, seen, grant("SELECT", unreadable, role))


def _row_security(role: str, tables: Tables) -> Check:
    name, filtered = "row_security", [table for table, access in tables.items() if access.is_filtered]
    if not filtered:
        return passed(name, "No row is hidden by row security.")
    seen = f"Row security hides rows of {some(map(str, filtered), 'table')}; a count would be wrong, so none is made."
    return blocks_audit(name, Reason.MISSING_PRIVILEGE, seen, f"ALTER ROLE {identifier(role)} BYPASSRLS")


def _ownership(role: str, altered: Sequence[TableAccess], major: int) -> Check:
    name, foreign = "ownership", [access for access in altered if not access.is_owned]
    if not foreign:
        return passed(name, "All tables to be altered may be.")
    named = some((str(access.table) for access in foreign), "table")
    seen = f"Only its owner may alter a table: role {identifier(role)} does not own {named}."
    return blocks_application(name, Reason.MISSING_PRIVILEGE, seen, _membership(role, foreign, major))


def _membership(role: str, foreign: Sequence[TableAccess], major: int) -> str:
    """Return how to become an owner; membership in a superuser would hand out the whole server, so its tables need another owner."""
    owners = sorted({access.owner for access in foreign if not access.owner_is_superuser})
    cure = _join(role, owners, major, is_member=any(access.is_member for access in foreign)) if owners else ""
    table = next((qualified(access.table) for access in foreign if access.owner_is_superuser), "")
    if not table:
        return cure
    give = f"a superuser owns some: ALTER TABLE {table} OWNER TO app_owner, for each of them, then GRANT app_owner TO {identifier(role)}"
    return f"{cure}; {give}" if cure else give[0].upper() + give[1:]


def _join(role: str, owners: Sequence[str], major: int, *, is_member: bool) -> str:
    """Return how to join the owners; a member that does not inherit would have to SET ROLE, which Holdfast does not."""
    grant_owners = f"GRANT {identifiers(owners)} TO {identifier(role)}"
    if not is_member:
        return grant_owners
    return f"{grant_owners} WITH INHERIT TRUE" if major >= _INHERIT_MAJOR else f"ALTER ROLE {identifier(role)} INHERIT; {grant_owners}"


def _references(role: str, tables: Tables, keys: Sequence[ColumnSet]) -> Check:
    name = "references"
    closed = sorted({key.table for key in keys if key.table in tables and not tables[key.table].may_reference(key.columns)})
    if not closed:
        return passed(name, "All tables to be referenced may be.")
    seen = f"Role {identifier(role)} may not make keys that reference {some(map(str, closed), 'table')}."
    return blocks_application(name, Reason.MISSING_PRIVILEGE, seen, grant("REFERENCES", closed, role))


def _index_builds(role: str, schemas: Sequence[SchemaAccess]) -> Check:
    name, closed = "index_builds", [schema.name for schema in schemas if not schema.may_create]
    if not closed:
        return passed(name, "Indexes may be built where they are needed.")
    seen = f"Role {identifier(role)} may not build indexes in {some(map(readable, closed), 'schema')}."
    return blocks_application(name, Reason.MISSING_PRIVILEGE, seen, f"GRANT CREATE ON SCHEMA {identifiers(closed)} TO {identifier(role)}")


def _share_lock(role: str, locked: Sequence[TableAccess], major: int) -> Check:
    name, closed = "share_lock", [access.table for access in locked if not access.may_lock]
    if not closed:
        return passed(name, "Referenced tables may be locked while a batch cleans up.")
    seen = (
        f"Role {identifier(role)} may not lock {some(map(str, closed), 'table')} in SHARE mode, which a cleanup needs against referenced"
        " rows that come late."
    )
    # DELETE is the weakest that 16 and older accept; MAINTAIN touches no row.
    cure = grant("MAINTAIN" if major >= _MAINTAIN_MAJOR else "DELETE", closed, role)
    return blocks_application(name, Reason.MISSING_PRIVILEGE, seen, cure)


def _owners_rights(tables: Tables, keys: Sequence[Key]) -> Check:
    """Enforced keys look at the other table as its owner: an owner without rights makes the application's own writes fail."""
    name = "owners_rights"
    lacking = list(dict.fromkeys(line for key in keys for line in _lacking(tables, key)))
    if not lacking:
        return passed(name, "The owners of the tables may do what enforcing the keys takes.")
    seen = (
        "Keys are enforced with the rights of the tables' owners; writes of your application would fail, because some owners lack rights."
    )
    return blocks_application(name, Reason.MISSING_PRIVILEGE, seen, "; ".join(lacking))


def _lacking(tables: Tables, key: Key) -> Iterator[str]:
    """Yield the GRANTs that the owners of both tables lack: inserting looks for the referenced row, deleting for the referencing ones."""
    changing = {OnDelete.CASCADE: "DELETE", OnDelete.SET_NULL: "UPDATE", OnDelete.SET_DEFAULT: "UPDATE"}
    for table, wanted in ((key.referenced, "UPDATE"), (key.referencing, changing.get(key.on_delete, "UPDATE"))):
        access = tables.get(table)
        if access is None:
            continue
        if not access.owner_may_use_schema:
            yield f"GRANT USAGE ON SCHEMA {identifier(table.schema)} TO {identifier(access.owner)}"
        for privilege in ("SELECT", wanted):
            if privilege not in access.owner_may:
                yield grant(privilege, [table], access.owner)
