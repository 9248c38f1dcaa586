// A database in one page: where it stands, what to do first, how it got here.
import { type Audit, AuditState } from "@holdfast/audit_service_pb";
import type { Database } from "@holdfast/database_service_pb";
import { latestSucceeded, orphanHistory } from "../facts";
import { absolute, count, dateOf, plural } from "../format";
import { useLoad } from "../load";
import { ReadOnlyHint } from "../parts/actions";
import { HistoryChart } from "../parts/chart";
import { Await, Badge, Card, Copyable, Empty, Time } from "../parts/parts";
import { A, pathOf } from "../router";
import { audits, everything, jobs, plans, reports, schedules } from "../service";
import { auditState, jobKind, jobState, planState } from "../words";
import { AuditFigures, recurrence } from "./databases";

export function Overview({ database }: { database: Database }) {
  const { name } = database;
  const list = useLoad(`audits/${name}`, async (signal) => (await audits.listAudits({ database: name, pageSize: 20 }, { signal })).audits, () => 30_000);
  return (
    <Await of={list} lines={6}>
      {(found) => {
        const audit = latestSucceeded(found);
        return (
          <div class="columns">
            <div class="column">
              {database.pooler && <p class="notice warn">{database.pooler}</p>}
              {audit ? <AuditFigures audit={audit} /> : <NeverAudited name={name} />}
              {audit && <Suggestions database={name} auditId={audit.id} />}
              {audit && <History database={name} auditId={audit.id} />}
            </div>
            <div class="column side">
              <AuditCard name={name} found={found} />
              <Latest name={name} />
              <ScheduleCard name={name} />
            </div>
          </div>
        );
      }}
    </Await>
  );
}

function NeverAudited({ name }: { name: string }) {
  return (
    <Empty title="No audit has succeeded yet.">
      <p>An audit only reads. It finds undeclared keys, counts orphan rows and names missing indexes.</p>
      <Copyable text={`holdfast audit ${name}`} />
      <ReadOnlyHint database={name} permission="AUDIT" />
    </Empty>
  );
}

function Suggestions({ database, auditId }: { database: string; auditId: string }) {
  const loaded = useLoad(`suggestions/${database}/${auditId}`, (signal) => reports.listSuggestions({ database }, { signal }));
  return (
    <Card title="What to do first" aside={loaded.data?.findings ? <span class="faint">{loaded.data.findings}</span> : undefined}>
      <Await of={loaded}>
        {(data) =>
          data.suggestions.length ? (
            <ol class="suggestions">
              {data.suggestions.map((each, index) => (
                <li key={index}>
                  <p>{each.text}</p>
                  {each.command && <Copyable text={each.command} />}
                </li>
              ))}
            </ol>
          ) : (
            <p class="faint">Nothing. Every relationship is declared, validated and indexed.</p>
          )
        }
      </Await>
    </Card>
  );
}

function History({ database, auditId }: { database: string; auditId: string }) {
  const loaded = useLoad(`history/${database}/${auditId}`, (signal) => orphanHistory(database, "", 5000, signal));
  return (
    <Card title="Orphan rows over time">
      <Await of={loaded}>
        {(points) =>
          points.length ? (
            <>
              <HistoryChart points={points} />
              <details>
                <summary>Numbers</summary>
                <table class="list compact">
                  <thead>
                    <tr>
                      <th scope="col">Audit</th>
                      <th scope="col" class="number">
                        Orphan rows
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {[...points].reverse().map((point) => (
                      <tr key={point.at.getTime()}>
                        <td>{absolute(point.at)}</td>
                        <td class="number">{count(point.rows)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </details>
            </>
          ) : (
            <p class="faint">No relationship was counted yet.</p>
          )
        }
      </Await>
    </Card>
  );
}

function AuditCard({ name, found }: { name: string; found: readonly Audit[] }) {
  return (
    <Card title="Audits">
      {found.length === 0 && <p class="faint">None yet.</p>}
      <ul class="lines">
        {found.slice(0, 6).map((audit) => (
          <li key={audit.id}>
            <A href={pathOf(["jobs", audit.jobId])}>
              <Time at={dateOf(audit.endTime ?? audit.createTime)} />
            </A>
            {audit.state === AuditState.SUCCEEDED ? <span class="faint number">{plural(audit.summary?.orphanRows ?? 0n, "orphan row")}</span> : <Badge of={auditState(audit.state)} />}
          </li>
        ))}
      </ul>
      {found.length > 6 && (
        <p class="more">
          <A href={pathOf(["databases", name, "jobs"])}>All jobs</A>
        </p>
      )}
    </Card>
  );
}

function Latest({ name }: { name: string }) {
  const loaded = useLoad(`latest/${name}`, async (signal) => {
    const [planned, worked] = await Promise.all([plans.listPlans({ database: name, pageSize: 4 }, { signal }), jobs.listJobs({ database: name, pageSize: 5 }, { signal })]);
    return { planned, worked };
  });
  return (
    <Await of={loaded}>
      {({ planned, worked }) => (
        <>
          <Card title="Plans" aside={<A href={pathOf(["databases", name, "plans"])}>All</A>}>
            {planned.plans.length === 0 && <p class="faint">None yet.</p>}
            <ul class="lines">
              {planned.plans.map((plan) => (
                <li key={plan.id}>
                  <A href={pathOf(["plans", plan.id])}>
                    <Time at={dateOf(plan.createTime)} />
                  </A>
                  <Badge of={planState(plan.state)} />
                </li>
              ))}
            </ul>
          </Card>
          <Card title="Jobs" aside={<A href={pathOf(["databases", name, "jobs"])}>All</A>}>
            {worked.jobs.length === 0 && <p class="faint">None yet.</p>}
            <ul class="lines">
              {worked.jobs.map((job) => (
                <li key={job.id}>
                  <A href={pathOf(["jobs", job.id])}>{jobKind(job.kind)}</A>
                  <Badge of={jobState(job.state)} />
                </li>
              ))}
            </ul>
          </Card>
        </>
      )}
    </Await>
  );
}

function ScheduleCard({ name }: { name: string }) {
  const loaded = useLoad(`schedule/${name}`, async (signal) => {
    // Asking for a single one that is not there is an error, in the browser's console, too.
    const planned = await everything((pageToken) => schedules.listSchedules({ pageSize: 1000, pageToken }, { signal }), (page) => page.schedules);
    return planned.items.find((each) => each.database === name) ?? null;
  });
  return (
    <Card title="Schedule">
      <Await of={loaded} lines={1}>
        {(schedule) =>
          schedule ? (
            <>
              <p>
                Next audit <Time at={dateOf(schedule.nextTime)} />
              </p>
              <p class="faint">
                <code>{recurrence(schedule)}</code>
              </p>
              {schedule.missedRuns > 0n && (
                <p class="hint">
                  {plural(schedule.missedRuns, "run")} missed. {schedule.missedReason}
                </p>
              )}
            </>
          ) : (
            <>
              <p class="faint">Audited by hand only.</p>
              <Copyable text={`holdfast schedules set ${name} --cron '30 2 * * *'`} />
            </>
          )
        }
      </Await>
    </Card>
  );
}
