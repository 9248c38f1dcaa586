// Audits, applications, rollbacks and restores, the newest first.
import { type Job, JobKind } from "@holdfast/core_pb";
import { useState } from "preact/hooks";
import { dateOf, span } from "../format";
import { useLoad } from "../load";
import { Await, Badge, Copyable, Empty, Scroll, Time } from "../parts/parts";
import { A, navigate, pathOf, usePlace } from "../router";
import { jobs } from "../service";
import { jobEnded, jobKind, jobState } from "../words";

const KINDS = [JobKind.AUDIT, JobKind.APPLICATION, JobKind.ROLLBACK, JobKind.RESTORE];
const PAGE = 50;

export function Jobs() {
  return (
    <>
      <div class="page-head">
        <div>
          <h1>Jobs</h1>
          <p class="lead">Audits, applications, rollbacks and restores, as they happen.</p>
        </div>
      </div>
      <JobList />
    </>
  );
}

export function JobList({ database = "" }: { database?: string }) {
  const { path, query } = usePlace();
  const [size, setSize] = useState(PAGE);
  const wanted = KINDS.find((each) => jobKind(each).toLowerCase() === query.get("kind")) ?? JobKind.UNSPECIFIED;
  const choose = (kind: JobKind) => navigate(kind ? `${path}?kind=${jobKind(kind).toLowerCase()}` : path, { replace: true });
  const loaded = useLoad(
    `jobs/${database}/${wanted}/${size}`,
    (signal) => jobs.listJobs({ database, kind: wanted, pageSize: size }, { signal }),
    (page) => (page.jobs.some((job) => !jobEnded(job.state)) ? 3000 : 15_000),
  );
  return (
    <>
      <div class="filters">
        <div class="joined" role="group" aria-label="Kind">
          {[JobKind.UNSPECIFIED, ...KINDS].map((kind) => (
            <button key={kind} type="button" aria-pressed={wanted === kind} onClick={() => choose(kind)}>
              {kind ? `${jobKind(kind)}s` : "All"}
            </button>
          ))}
        </div>
      </div>
      <Await of={loaded} lines={5}>
        {(page) =>
          page.jobs.length ? (
            <>
              <Table jobs={page.jobs} withDatabase={!database} />
              {page.nextPageToken && (
                <p class="more">
                  <button type="button" onClick={() => setSize(Math.min(1000, size * 4))}>
                    Show more
                  </button>
                </p>
              )}
            </>
          ) : (
            <Empty title="There is no such job yet.">
              <Copyable text={`holdfast audit ${database || "NAME"}`} />
            </Empty>
          )
        }
      </Await>
    </>
  );
}

function Table({ jobs: list, withDatabase }: { jobs: readonly Job[]; withDatabase: boolean }) {
  return (
    <div class="card flush">
      <Scroll label="Jobs">
        <table class="list stack">
          <thead>
            <tr>
              <th scope="col">Job</th>
              {withDatabase && <th scope="col">Database</th>}
              <th scope="col">State</th>
              <th scope="col">Asked for</th>
              <th scope="col" class="number">
                Took
              </th>
              <th scope="col">By</th>
            </tr>
          </thead>
          <tbody>
            {list.map((job) => (
              <tr key={job.id}>
                <th scope="row">
                  <A href={pathOf(["jobs", job.id])} class="strong">
                    {jobKind(job.kind)}
                  </A>
                  <span class="under">{jobEnded(job.state) ? job.errorMessage : (job.progress?.waitingFor || job.progress?.activity) ?? ""}</span>
                </th>
                {withDatabase && (
                  <td data-label="Database">
                    <A href={pathOf(["databases", job.database])}>{job.database}</A>
                  </td>
                )}
                <td data-label="State">
                  <Badge of={jobState(job.state)} />
                </td>
                <td data-label="Asked for">
                  <Time at={dateOf(job.createTime)} />
                </td>
                <td data-label="Took" class="number nowrap">
                  {took(job)}
                </td>
                <td data-label="By">{job.principal}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </div>
  );
}

export function took(job: Job): string {
  const [start, end] = [dateOf(job.startTime), dateOf(job.endTime)];
  return start && end ? span((end.getTime() - start.getTime()) / 1000) : "–";
}
