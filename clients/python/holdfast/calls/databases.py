"""Calls of DatabaseService: registering databases, and what is registered."""

from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.calls.caller import Caller
from holdfast.v1 import database_service_pb2 as database_pb
from holdfast.v1.database_service_pb2_grpc import DatabaseServiceStub

if TYPE_CHECKING:
    from holdfast.v1.database_service_pb2_grpc import DatabaseServiceAsyncStub


class DatabaseCalls(Caller):
    """The calls of DatabaseService."""

    @cached_property
    def _databases(self) -> "DatabaseServiceAsyncStub":
        return DatabaseServiceStub(self._channel)

    async def add_database(
        self, name: str, dsn: database_pb.DsnSource, *, settings: database_pb.DatabaseSettings | None = None
    ) -> database_pb.AddDatabaseResponse:
        """Register a database after connecting to it once; repeating the same request succeeds."""
        request = database_pb.AddDatabaseRequest(name=name, dsn=dsn, settings=settings)
        return await self._call(self._databases.AddDatabase, request)

    async def get_database(self, name: str) -> database_pb.GetDatabaseResponse:
        """Return one database."""
        return await self._call(self._databases.GetDatabase, database_pb.GetDatabaseRequest(name=name))

    async def list_databases(self, *, page_size: int = 0, page_token: str = "") -> database_pb.ListDatabasesResponse:
        """List databases by name."""
        request = database_pb.ListDatabasesRequest(page_size=page_size, page_token=page_token)
        return await self._call(self._databases.ListDatabases, request)

    async def update_database(
        self,
        name: str,
        dsn: database_pb.DsnSource | None = None,
        *,
        settings: database_pb.DatabaseSettings | None = None,
        etag: str = "",
    ) -> database_pb.UpdateDatabaseResponse:
        """Replace the DSN, or all settings, or both; with an etag, only if nobody else did since."""
        request = database_pb.UpdateDatabaseRequest(name=name, dsn=dsn, settings=settings, etag=etag)
        return await self._call(self._databases.UpdateDatabase, request)

    async def remove_database(self, name: str) -> database_pb.RemoveDatabaseResponse:
        """Forget a database with its audits and plans."""
        return await self._call(self._databases.RemoveDatabase, database_pb.RemoveDatabaseRequest(name=name))

    async def check_database(self, name: str) -> database_pb.CheckDatabaseResponse:
        """Connect and report what an audit and an application would need."""
        return await self._call(self._databases.CheckDatabase, database_pb.CheckDatabaseRequest(name=name))
