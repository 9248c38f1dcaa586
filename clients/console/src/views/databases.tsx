// Every database at a glance: can it be reached, when was it audited, how many orphan rows, what stands.
import type { Audit } from "@holdfast/audit_service_pb";
import type { Database } from "@holdfast/database_service_pb";
import type { Schedule } from "@holdfast/schedule_service_pb";
import { bySeverity, findingsOf, latestSucceeded, orNone, orphanHistory } from "../facts";
import { Severity } from "@holdfast/core_pb";
import { count, dateOf, plural, secondsOf, span } from "../format";
import { useLoad } from "../load";
import { Await, Badge, Copyable, Empty, Figure, Scroll, Time } from "../parts/parts";
import { Sparkline } from "../parts/chart";
import { A, pathOf } from "../router";
import { audits, databases, everything, schedules } from "../service";
import { databaseState, severity } from "../words";

interface Overview {
  readonly databases: readonly Database[];
  readonly schedules: ReadonlyMap<string, Schedule>;
}

export function Databases() {
  const loaded = useLoad<Overview>("databases", async (signal) => {
    const [registered, planned] = await Promise.all([
      everything((pageToken) => databases.listDatabases({ pageSize: 1000, pageToken }, { signal }), (page) => page.databases),
      everything((pageToken) => schedules.listSchedules({ pageSize: 1000, pageToken }, { signal }), (page) => page.schedules),
    ]);
    return { databases: registered.items, schedules: new Map(planned.items.map((each) => [each.database, each])) };
  }, () => 60_000);
  return (
    <>
      <div class="page-head">
        <div>
          <h1>Databases</h1>
          <p class="lead">What Holdfast looks after, and how many rows have lost what they reference.</p>
        </div>
      </div>
      <Await of={loaded} lines={5}>
        {(data) => (data.databases.length ? <List {...data} /> : <NoDatabases />)}
      </Await>
    </>
  );
}

function NoDatabases() {
  return (
    <Empty title="No database is registered yet.">
      <p>This command registers one. Nothing is written to it, and audits only read.</p>
      <Copyable text="holdfast databases add shop --dsn-env SHOP_DSN" />
    </Empty>
  );
}

function List({ databases: list, schedules: planned }: Overview) {
  return (
    <div class="card flush">
      <Scroll label="Databases">
        <table class="list stack">
          <thead>
            <tr>
              <th scope="col">Database</th>
              <th scope="col">State</th>
              <th scope="col">Last audit</th>
              <th scope="col" class="number">
                Orphan rows
              </th>
              <th scope="col">History</th>
              <th scope="col">Open findings</th>
              <th scope="col">Next audit</th>
            </tr>
          </thead>
          <tbody>
            {list.map((database) => (
              <Row key={database.id} database={database} schedule={planned.get(database.name)} />
            ))}
          </tbody>
        </table>
      </Scroll>
    </div>
  );
}

function Row({ database, schedule }: { database: Database; schedule: Schedule | undefined }) {
  const { name } = database;
  const facts = useLoad(`row/${name}`, async (signal) => {
    const list = await audits.listAudits({ database: name, pageSize: 20 }, { signal });
    const audit = latestSucceeded(list.audits);
    if (!audit) return { audit: undefined, history: [], findings: [] };
    const [history, findings] = await Promise.all([orphanHistory(name, "", 2000, signal), orNone(findingsOf(name, false, signal))]);
    return { audit, history, findings: findings ?? [] };
  }, () => 60_000);
  const audit: Audit | undefined = facts.data?.audit;
  return (
    <tr>
      <th scope="row">
        <A href={pathOf(["databases", name])} class="strong">
          {name}
        </A>
        <span class="under">
          {database.databaseName} on {database.host}
          {database.serverVersion && ` · PostgreSQL ${database.serverVersion}`}
        </span>
      </th>
      <td data-label="State">
        <Badge of={databaseState(database.state)} />
      </td>
      <td data-label="Last audit">{facts.data ? <Time at={dateOf(audit?.endTime)} /> : <Pending failed={facts.failure?.sentence} />}</td>
      <td data-label="Orphan rows" class="number">
        {audit?.summary ? <strong class={audit.summary.orphanRows > 0n ? "bad-text" : undefined}>{count(audit.summary.orphanRows)}</strong> : <span class="faint">–</span>}
      </td>
      <td data-label="History">{facts.data && <Sparkline points={facts.data.history} />}</td>
      <td data-label="Open findings">
        {facts.data && !audit && <span class="faint">–</span>}
        {audit && facts.data && (
          <span class="row tight">
            {bySeverity(facts.data.findings).map(([level, number]) => number > 0 && <SeverityCount key={level} database={name} level={level} number={number} />)}
            {facts.data.findings.length === 0 && <span class="faint">none</span>}
          </span>
        )}
      </td>
      <td data-label="Next audit">
        <ScheduleText schedule={schedule} />
      </td>
    </tr>
  );
}

function Pending({ failed }: { failed: string | undefined }) {
  return failed ? (
    <span class="bad-text" title={failed}>
      could not be read
    </span>
  ) : (
    <span class="faint">…</span>
  );
}

export function SeverityCount({ database, level, number }: { database: string; level: Parameters<typeof severity>[0]; number: number }) {
  const [label, tone] = severity(level);
  return (
    <A href={pathOf(["databases", database, "findings"], { severity: label.toLowerCase() })} class={`count ${tone}`} >
      <span class="dot" aria-hidden="true" />
      {level === Severity.INFO ? `${count(number)} info` : plural(number, label.toLowerCase())}
    </A>
  );
}

export function recurrence(schedule: Schedule): string {
  const { case: kind, value } = schedule.recurrence;
  if (kind === "cron") return `${value} ${schedule.timeZone || "UTC"}`;
  return kind === "interval" ? `every ${span(secondsOf(value))}` : "";
}

function ScheduleText({ schedule }: { schedule: Schedule | undefined }) {
  if (!schedule) return <span class="faint">by hand</span>;
  return (
    <>
      <Time at={dateOf(schedule.nextTime)} />
      <span class="under">
        <code>{recurrence(schedule)}</code>
      </span>
    </>
  );
}

/** The numbers of an audit in one row. */
export function AuditFigures({ audit }: { audit: Audit }) {
  const summary = audit.summary;
  if (!summary) return null;
  return (
    <dl class="figures">
      <Figure label="Orphan rows" value={count(summary.orphanRows)} tone={summary.orphanRows > 0n ? "bad-text" : "good-text"} hint={summary.estimated > 0n ? `${count(summary.estimated)} of the counts are estimates` : undefined} />
      <Figure label="Undeclared keys" value={count(summary.undeclaredRelationships)} hint={`of ${count(summary.relationships)} relationships`} />
      <Figure label="Not validated" value={count(summary.notValidatedKeys)} />
      <Figure label="Missing indexes" value={count(summary.missingIndexes)} />
      <Figure label="Tables" value={count(summary.tables)} />
    </dl>
  );
}
