"""BackupService: decode, call the flow, encode."""

# ruff: noqa: N802 (gRPC names the methods)

from holdfast.v1 import backup_service_pb2 as pb
from holdfast.v1.backup_service_pb2_grpc import BackupServiceServicer
from holdfastd.flows import backups
from holdfastd.flows.context import Services
from holdfastd.rpc import decode, encode_record, fields
from holdfastd.rpc.interceptor import Context


class BackupService(BackupServiceServicer):
    """Shows and purges backups."""

    def __init__(self, services: Services) -> None:
        """Take what the flows work with."""
        self._services = services

    async def ListBackups(self, request: pb.ListBackupsRequest, _: Context) -> pb.ListBackupsResponse:
        """List backups, newest first."""
        database = fields.database_name(request.database)
        page = fields.page(request.page_size, request.page_token, "ListBackups", database, parts=("number",))
        found = await backups.list_page(self._services, database, page.position, page.limit)
        items, token = page.cut(found, lambda item: (str(item.position),))
        return pb.ListBackupsResponse(backups=map(encode_record.backup, items), next_page_token=token)

    async def PurgeBackups(self, request: pb.PurgeBackupsRequest, _: Context) -> pb.PurgeBackupsResponse:
        """Delete backed-up rows for good."""
        caller, database = decode.caller(request.request_id), fields.database_name(request.database)
        plan_id = fields.optional_identifier(request.plan_id, "plan_id")
        purged = await backups.purge_backups(self._services, caller, database, plan_id, decode.older_than(request))
        return pb.PurgeBackupsResponse(backups=map(encode_record.backup, purged))
