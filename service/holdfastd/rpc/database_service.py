"""DatabaseService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

from holdfast.v1 import database_service_pb2 as pb
from holdfast.v1.database_service_pb2_grpc import DatabaseServiceServicer
from holdfastd.flows import databases
from holdfastd.flows.context import Services
from holdfastd.rpc import decode, encode_record, fields
from holdfastd.rpc.interceptor import Context


class DatabaseService(DatabaseServiceServicer):
    """Registers, lists and checks databases."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services

    async def AddDatabase(self, request: pb.AddDatabaseRequest, _: Context) -> pb.AddDatabaseResponse:
        """Register a database after connecting to it once."""
        name, dsn = fields.database_name(request.name, "name"), decode.dsn_source(request.dsn)
        record = await databases.add(self._services, decode.caller(), name, dsn, decode.settings(request.settings))
        return pb.AddDatabaseResponse(database=encode_record.database(record))

    async def GetDatabase(self, request: pb.GetDatabaseRequest, _: Context) -> pb.GetDatabaseResponse:
        """Return one database."""
        record = await databases.get(self._services, fields.database_name(request.name, "name"))
        return pb.GetDatabaseResponse(database=encode_record.database(record))

    async def ListDatabases(self, request: pb.ListDatabasesRequest, _: Context) -> pb.ListDatabasesResponse:
        """List databases by name."""
        page = fields.page(request.page_size, request.page_token, "ListDatabases", parts=("name",))
        records, token = page.cut(
            await databases.list_page(self._services, page.after, page.limit, decode.caller().visible), lambda item: (item.name,)
        )
        return pb.ListDatabasesResponse(databases=map(encode_record.database, records), next_page_token=token)

    async def UpdateDatabase(self, request: pb.UpdateDatabaseRequest, _: Context) -> pb.UpdateDatabaseResponse:
        """Replace the DSN of a database, or its settings, or both."""
        name, (dsn, settings) = fields.database_name(request.name, "name"), decode.database_changes(request)
        record = await databases.update(self._services, decode.caller(), name, dsn, settings, fields.text(request.etag, "etag"))
        return pb.UpdateDatabaseResponse(database=encode_record.database(record))

    async def RemoveDatabase(self, request: pb.RemoveDatabaseRequest, _: Context) -> pb.RemoveDatabaseResponse:
        """Forget a database."""
        await databases.remove(self._services, decode.caller(), fields.database_name(request.name, "name"))
        return pb.RemoveDatabaseResponse()

    async def CheckDatabase(self, request: pb.CheckDatabaseRequest, _: Context) -> pb.CheckDatabaseResponse:
        """Connect and report what an audit and an application would need."""
        record, checks = await databases.check(self._services, fields.database_name(request.name, "name"))
        return pb.CheckDatabaseResponse(database=encode_record.database(record), checks=map(encode_record.check, checks))
