"""`holdfast apply`, `rollback`: doing it, and undoing it exactly."""

import typer

from holdfast.cli.arguments import Detach, JobId, PlanId
from holdfast.cli.following import follow, show_end
from holdfast.cli.session import Session, command
from holdfast.cli.throttling import MaxActiveSessions, MaxReplicaLag, MaxWalRate, throttle

commands = typer.Typer()


@command(commands, "apply", example="holdfast apply PLAN")
async def apply(
    session: Session,
    plan_id: PlanId,
    detach: Detach = False,
    max_replica_lag: MaxReplicaLag = None,
    max_active_sessions: MaxActiveSessions = None,
    max_wal_rate: MaxWalRate = None,
) -> None:
    """Apply an approved plan while the application keeps writing.

    Ends with 3 when the database changed since the plan was made.
    """
    holds_back = throttle(max_replica_lag, max_active_sessions, max_wal_rate)
    if detach:
        started = await session.client.start_application(plan_id, throttle=holds_back)
        session.show(started)
        session.suggest(f"holdfast watch {started.job.id}")
        return
    job = await follow(session, session.client.apply(plan_id, throttle=holds_back))
    await show_end(session, job)
    session.suggest(f"holdfast rollback {job.id}", when="To undo it exactly")


@command(commands, "rollback", example="holdfast rollback JOB")
async def rollback(
    session: Session,
    job_id: JobId,
    detach: Detach = False,
    max_replica_lag: MaxReplicaLag = None,
    max_active_sessions: MaxActiveSessions = None,
    max_wal_rate: MaxWalRate = None,
) -> None:
    """Undo an application exactly.

    Drops what it added, restores every row and value. JOB is the application.
    """
    holds_back = throttle(max_replica_lag, max_active_sessions, max_wal_rate)
    if detach:
        started = await session.client.start_rollback(job_id, throttle=holds_back)
        session.show(started)
        session.suggest(f"holdfast watch {started.job.id}")
        return
    await show_end(session, await follow(session, session.client.roll_back(job_id, throttle=holds_back)))
