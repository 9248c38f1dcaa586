// One plan: what was decided, the steps in order, what stands in the way, and the buttons that go on.
import { type Decision, type Plan, PlanState } from "@holdfast/core_pb";
import { type Check, CheckState } from "@holdfast/database_service_pb";
import { ScriptKind } from "@holdfast/plan_service_pb";
import { useState } from "preact/hooks";
import { absolute, count, dateOf, plural, shortId } from "../format";
import { type Failure, failureOf } from "../failure";
import { useLoad } from "../load";
import { Await, Badge, Card, ErrorBox, Figure, Scroll, Time } from "../parts/parts";
import { A, pathOf } from "../router";
import { plans } from "../service";
import { blockingLocks, cleanedRows } from "../weight";
import { checkState, lockLevel, lockTone, onDelete, orphanAction, planState } from "../words";
import { PlanActions } from "./plan_actions";
import { StepItem } from "./step";
import { download } from "./report";

export function PlanPage({ id }: { id: string }) {
  const loaded = useLoad(`plan/${id}`, async (signal) => (await plans.getPlan({ id }, { signal })).plan, () => 15_000);
  return (
    <Await of={loaded} lines={8}>
      {(plan) => plan && <PlanView plan={plan} changed={loaded.reload} />}
    </Await>
  );
}

function PlanView({ plan, changed }: { plan: Plan; changed: () => void }) {
  return (
    <>
      <div class="page-head">
        <div>
          <p class="crumbs">
            <A href="/">Databases</A> / <A href={pathOf(["databases", plan.database])}>{plan.database}</A> / <A href={pathOf(["databases", plan.database, "plans"])}>Plans</A>
          </p>
          <h1>
            Plan <span class="mono">{shortId(plan.id)}</span> <Badge of={planState(plan.state)} />
          </h1>
          <p class="lead">
            Made <Time at={dateOf(plan.createTime)} /> by {plan.author}
            {plan.reviewer && `, ${plan.state === PlanState.REJECTED ? "rejected" : "approved"} by ${plan.reviewer}`}
          </p>
        </div>
        <PlanActions plan={plan} changed={changed} />
      </div>
      <PlanFigures plan={plan} />
      <div class="columns">
        <div class="column">
          <Steps plan={plan} />
          <Decisions decisions={plan.decisions} />
        </div>
        <div class="column side">
          <Locks plan={plan} />
          <Checks id={plan.id} />
          <Scripts plan={plan} />
          <Card title="About">
            <dl class="facts">
              <dt>Id</dt>
              <dd class="mono break">{plan.id}</dd>
              <dt>Audit</dt>
              <dd class="mono break">{plan.auditId}</dd>
              <dt>Fingerprint</dt>
              <dd class="mono break">{plan.fingerprint.slice(0, 16)}…</dd>
              <dt>Made</dt>
              <dd>{absolute(dateOf(plan.createTime) ?? new Date(0))}</dd>
            </dl>
          </Card>
        </div>
      </div>
    </>
  );
}

function Steps({ plan }: { plan: Plan }) {
  const [open, setOpen] = useState(false);
  const toggle = (
    <button type="button" class="text" aria-expanded={open} onClick={() => setOpen(!open)}>
      {open ? "Close all" : "Open all"}
    </button>
  );
  return (
    <Card title="Steps, in order" aside={toggle}>
      <ol class="steps">
        {plan.steps.map((step) => (
          <StepItem key={step.number} step={step} open={open} />
        ))}
      </ol>
    </Card>
  );
}

function PlanFigures({ plan }: { plan: Plan }) {
  const keys = plan.decisions.filter((decision) => decision.included).length;
  const cleaned = cleanedRows(plan);
  return (
    <dl class="figures">
      <Figure label="Steps" value={count(plan.steps.length)} />
      <Figure label="Foreign keys" value={count(keys)} hint={`of ${plural(plan.decisions.length, "relationship")}`} />
      <Figure label="Indexes to build" value={count(plan.decisions.filter((decision) => decision.indexName).length)} />
      {cleaned.length === 0 && <Figure label="Rows to clean up" value="0" />}
      {cleaned.map(([action, rows]) => (
        <Figure key={action} label="Rows to clean up" value={count(rows)} tone="warn-text" hint={orphanAction(action)} />
      ))}
    </dl>
  );
}

function Decisions({ decisions }: { decisions: readonly Decision[] }) {
  const included = decisions.filter((decision) => decision.included);
  const others = decisions.filter((decision) => !decision.included);
  return (
    <Card title="Decisions" aside={<span class="faint">{plural(included.length, "key")}</span>}>
      <Scroll label="Decisions">
        <table class="list compact stack">
          <thead>
            <tr>
              <th scope="col">Relationship</th>
              <th scope="col">ON DELETE</th>
              <th scope="col">Orphan rows</th>
              <th scope="col" class="number">
                Now
              </th>
              <th scope="col" class="number">
                Taken along
              </th>
            </tr>
          </thead>
          <tbody>
            {included.map((decision) => (
              <tr key={decision.relationshipId}>
                <th scope="row" class="mono">
                  {decision.relationshipId}
                  {decision.reason && <span class="under">{decision.reason}</span>}
                </th>
                <td data-label="ON DELETE" class="nowrap">{onDelete(decision.onDelete)}</td>
                <td data-label="Orphan rows" class="nowrap">{decision.orphanRows > 0n ? orphanAction(decision.orphanAction) : <span class="faint">none</span>}</td>
                <td data-label="Now" class="number">{count(decision.orphanRows)}</td>
                <td data-label="Taken along" class="number">{count(decision.closureRows > decision.orphanRows ? decision.closureRows - decision.orphanRows : 0n)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {others.length > 0 && (
        <details>
          <summary>{plural(others.length, "relationship")} left out</summary>
          <ul class="lines">
            {others.map((decision) => (
              <li key={decision.relationshipId} class="wrap">
                <code>{decision.relationshipId}</code> <span class="faint">{decision.reason}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </Card>
  );
}

function Locks({ plan }: { plan: Plan }) {
  const locks = blockingLocks(plan.steps);
  return (
    <Card title="Locks that others wait for">
      {locks.length === 0 && <p class="faint">None.</p>}
      {locks.map(([level, tables]) => (
        <div key={level} class="lock-group">
          <Badge of={[lockLevel(level), lockTone(level)]} />
          <p class="mono small-text">{tables.join(", ")}</p>
        </div>
      ))}
      <p class="hint">Each is asked for with a short timeout and given back at once; nobody queues behind it for longer.</p>
    </Card>
  );
}

function Checks({ id }: { id: string }) {
  const [asked, setAsked] = useState(false);
  return (
    <Card title="Could it be applied now?">
      {asked ? (
        <CheckList id={id} />
      ) : (
        <>
          <p class="faint">Privileges, drift, old transactions, room on disk. Changes nothing.</p>
          <button type="button" onClick={() => setAsked(true)}>
            Check now
          </button>
        </>
      )}
    </Card>
  );
}

function CheckList({ id }: { id: string }) {
  const loaded = useLoad(`checks/${id}`, (signal) => plans.checkPlan({ id }, { signal }));
  return (
    <Await of={loaded}>
      {(answer) => (
        <>
          <p>
            <Badge of={answer.ready ? ["Ready", "good"] : ["Not ready", "bad"]} /> <span class="faint">{plural(answer.checks.length, "check")}</span>
          </p>
          <CheckItems checks={answer.checks.filter((check) => check.state !== CheckState.PASSED)} />
          <details>
            <summary>{answer.checks.filter((check) => check.state === CheckState.PASSED).length} passed</summary>
            <CheckItems checks={answer.checks.filter((check) => check.state === CheckState.PASSED)} />
          </details>
          <button type="button" class="small" disabled={loaded.loading} onClick={loaded.reload}>
            Check again
          </button>
        </>
      )}
    </Await>
  );
}

function CheckItems({ checks }: { checks: readonly Check[] }) {
  return (
    <ul class="checks">
      {checks.map((check) => (
        <li key={check.id}>
          {check.state !== CheckState.PASSED && <Badge of={checkState(check.state)} />}
          <p>{check.message}</p>
          {check.cure && <p class="hint">{check.cure}</p>}
        </li>
      ))}
    </ul>
  );
}

const SCRIPTS = [
  [ScriptKind.FORWARD, "forward", "Applies the plan"],
  [ScriptKind.VERIFY, "verify", "Counts again and lists the keys"],
  [ScriptKind.ROLLBACK, "rollback", "Undoes the plan, rows included"],
  [ScriptKind.RESTORE, "restore", "Puts backed-up rows back"],
] as const;

function Scripts({ plan }: { plan: Plan }) {
  const [failure, setFailure] = useState<Failure>();
  const fetch = async (kind: ScriptKind, name: string) => {
    setFailure(undefined);
    try {
      const { script } = await plans.renderPlan({ id: plan.id, kind });
      download(script, `${plan.database}-${shortId(plan.id)}-${name}.sql`, "application/sql");
    } catch (error) {
      setFailure(failureOf(error));
    }
  };
  return (
    <Card title="Scripts for psql">
      <ul class="lines">
        {SCRIPTS.map(([kind, name, what]) => (
          <li key={name}>
            <button type="button" class="text" onClick={() => void fetch(kind, name)}>
              {name}.sql
            </button>
            <span class="faint">{what}</span>
          </li>
        ))}
      </ul>
      {failure && <ErrorBox failure={failure} />}
    </Card>
  );
}
