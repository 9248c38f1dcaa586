"""Calls of BackupService: what the backups in databases hold."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.calls.caller import Caller, new_id
from holdfast.v1 import backup_service_pb2 as backup_pb
from holdfast.v1.backup_service_pb2_grpc import BackupServiceStub

if TYPE_CHECKING:
    from holdfast.v1.backup_service_pb2_grpc import BackupServiceAsyncStub


class BackupCalls(Caller):
    """The calls of BackupService."""

    @cached_property
    def _backups(self) -> "BackupServiceAsyncStub":
        return BackupServiceStub(self._channel)

    async def list_backups(self, database: str, *, page_size: int = 0, page_token: str = "") -> backup_pb.ListBackupsResponse:
        """List what the backup in a database holds, plan by plan, newest first."""
        request = backup_pb.ListBackupsRequest(database=database, page_size=page_size, page_token=page_token)
        return await self._call(self._backups.ListBackups, request)

    async def purge_backups(
        self, database: str, *, plan_id: str = "", older_than: timedelta | None = None, request_id: str = ""
    ) -> backup_pb.PurgeBackupsResponse:
        """Delete backups for good, of one plan or of all; without an age, those of 30 days and older."""
        request = backup_pb.PurgeBackupsRequest(database=database, plan_id=plan_id, request_id=request_id or new_id())
        if older_than is not None:
            request.older_than.FromTimedelta(older_than)
        return await self._call(self._backups.PurgeBackups, request)
