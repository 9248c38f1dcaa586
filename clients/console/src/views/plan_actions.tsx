// Approve, reject and apply: what a plan's state allows, each asked about first where it weighs something.
import { type Plan, PlanState } from "@holdfast/core_pb";
import { plural } from "../format";
import { Action, ReadOnlyHint } from "../parts/actions";
import { navigate, pathOf } from "../router";
import { migrations, plans } from "../service";
import { blockingLocks, cleanedRows } from "../weight";
import { lockLevel, orphanAction } from "../words";

export function PlanActions({ plan, changed }: { plan: Plan; changed: () => void }) {
  const { database, state } = plan;
  const mayDecide = state === PlanState.PROPOSED || state === PlanState.ROLLED_BACK;
  const approve = async () => {
    await plans.approvePlan({ id: plan.id, fingerprint: plan.fingerprint });
    changed();
  };
  const reject = async () => {
    await plans.rejectPlan({ id: plan.id });
    changed();
  };
  return (
    <div class="actions">
      <div class="buttons">
        {(mayDecide || state === PlanState.APPROVED) && <Action database={database} permission="APPROVE" label="Reject" run={reject} />}
        {mayDecide && <Action database={database} permission="APPROVE" label="Approve" kind="primary" run={approve} />}
        {state === PlanState.APPROVED && <Apply plan={plan} />}
      </div>
      {(mayDecide || state === PlanState.APPROVED) && <ReadOnlyHint database={database} permission={mayDecide ? "APPROVE" : "OPERATE"} />}
    </div>
  );
}

function Apply({ plan }: { plan: Plan }) {
  const apply = async () => {
    const started = await migrations.applyPlan({ planId: plan.id, requestId: crypto.randomUUID() });
    if (started.job) navigate(pathOf(["jobs", started.job.id]));
  };
  const confirm = { title: `Apply this plan to ${plan.database}?`, body: <Weight plan={plan} />, yes: "Apply the plan" };
  return <Action database={plan.database} permission="OPERATE" label="Apply…" kind="primary" run={apply} confirm={confirm} />;
}

function Weight({ plan }: { plan: Plan }) {
  const rows = cleanedRows(plan);
  const locks = blockingLocks(plan.steps);
  return (
    <>
      <p>The application keeps working while this runs. What is deleted or changed is backed up in the same transaction, and a rollback puts it back.</p>
      <h3>Rows</h3>
      <ul class="bullets">
        {rows.length === 0 && <li>No row is deleted or changed.</li>}
        {rows.map(([action, number]) => (
          <li key={action}>
            <strong>{plural(number, "row")}</strong>: {orphanAction(action)}
          </li>
        ))}
      </ul>
      <h3>Locks</h3>
      <ul class="bullets">
        {locks.length === 0 && <li>None that others wait for.</li>}
        {locks.map(([level, tables]) => (
          <li key={level}>
            <strong>{lockLevel(level)}</strong>, for a moment, on {tables.length > 6 ? `${plural(tables.length, "table")}: ${tables.slice(0, 6).join(", ")}, …` : tables.join(", ")}
          </li>
        ))}
      </ul>
    </>
  );
}

