"""Plans to messages."""

from holdfast.v1 import core_pb2
from holdfastd.plan.model import Decision, Hazard, Statement, Step
from holdfastd.rpc.encode import timestamp
from holdfastd.rpc.enums import to_proto
from holdfastd.store.model import PlanRecord


def plan(record: PlanRecord) -> core_pb2.Plan:
    """Return a whole plan."""
    message = plan_without_steps(record)
    message.steps.extend(_step(step) for step in record.plan.steps)
    return message


def plan_without_steps(record: PlanRecord) -> core_pb2.Plan:
    """Return a plan for a list: its steps may be thousands."""
    return core_pb2.Plan(
        id=record.id,
        database=record.database,
        audit_id=record.audit_id,
        state=to_proto(record.state),
        fingerprint=record.plan.fingerprint,
        decisions=[_decision(decision) for decision in record.plan.decisions],
        create_time=timestamp(record.create_time),
        author=record.author,
        reviewer=record.reviewer,
    )


def _step(step: Step) -> core_pb2.Step:
    return core_pb2.Step(
        number=step.number,
        kind=to_proto(step.kind),
        title=step.title,
        relationship_id=step.relationship_id,
        statements=[_statement(statement) for statement in step.statements],
        undo=[_statement(statement) for statement in step.undo],
        done_when=step.done_when,
        hazards=[_hazard(hazard) for hazard in step.hazards],
        row_estimate=step.row_estimate,
    )


def _statement(statement: Statement) -> core_pb2.Statement:
    return core_pb2.Statement(
        sql=statement.sql,
        locks=[core_pb2.TableLock(table=str(lock.table), level=to_proto(lock.level)) for lock in statement.locks],
        lock_policy=to_proto(statement.lock_policy),
        transactional=statement.transactional,
    )


def _hazard(hazard: Hazard) -> core_pb2.Hazard:
    return core_pb2.Hazard(kind=to_proto(hazard.kind), message=hazard.message)


def _decision(decision: Decision) -> core_pb2.Decision:
    return core_pb2.Decision(
        relationship_id=decision.relationship_id,
        included=decision.included,
        reason=decision.reason,
        on_delete=to_proto(decision.on_delete),
        orphan_action=to_proto(decision.orphan_action),
        orphan_rows=decision.orphan_rows,
        closure_rows=decision.closure_rows,
        constraint_name=decision.constraint_name,
        index_name=decision.index_name,
        set_null_columns=decision.set_null_columns,
    )
