// One job, live: how far it is, what it waits for, and everything that happened.
import { type Event, EventKind, type Job, JobKind, JobState, type Verification } from "@holdfast/core_pb";
import { useEffect, useRef, useState } from "preact/hooks";
import { clockTime, count, dateOf, plural, shortId, span } from "../format";
import { Badge, Bar, Card, ErrorBox, Figure, Scroll, Skeleton, Time } from "../parts/parts";
import { A, pathOf } from "../router";
import { type Followed, useWatch } from "../watch";
import { eventKind, jobEnded, jobKind, jobState } from "../words";
import { JobActions } from "./job_actions";

export function JobPage({ id }: { id: string }) {
  const followed = useWatch(id);
  const { job, failure } = followed;
  if (!job) return failure ? <ErrorBox failure={failure} /> : <Skeleton lines={8} />;
  return (
    <>
      <Head job={job} />
      {failure && <ErrorBox failure={failure} />}
      {followed.reconnecting && (
        <p class="notice warn" role="status">
          The connection is lost; trying again. The job goes on meanwhile.
        </p>
      )}
      {job.errorMessage && <Ending job={job} />}
      <Now followed={followed} job={job} />
      {job.verifications.length > 0 && <Verifications verifications={job.verifications} />}
      <Events events={followed.events} live={!jobEnded(job.state)} />
    </>
  );
}

function Head({ job }: { job: Job }) {
  return (
    <div class="page-head">
      <div>
        <p class="crumbs">
          <A href="/">Databases</A> / <A href={pathOf(["databases", job.database])}>{job.database}</A> / <A href={pathOf(["databases", job.database, "jobs"])}>Jobs</A>
        </p>
        <h1>
          {jobKind(job.kind)} <span class="mono">{shortId(job.id)}</span> <Badge of={jobState(job.state)} />
        </h1>
        <p class="lead">
          Asked for <Time at={dateOf(job.createTime)} /> by {job.principal}
          {job.planId && (
            <>
              {" · "}
              <A href={pathOf(["plans", job.planId])}>its plan</A>
            </>
          )}
          {job.applicationId && (
            <>
              {" · "}
              <A href={pathOf(["jobs", job.applicationId])}>the application</A>
            </>
          )}
          {job.kind === JobKind.AUDIT && job.state === JobState.SUCCEEDED && (
            <>
              {" · "}
              <A href={pathOf(["databases", job.database])}>what it found</A>
            </>
          )}
        </p>
      </div>
      <JobActions job={job} />
    </div>
  );
}

function Ending({ job }: { job: Job }) {
  return (
    <div class={job.state === JobState.FAILED ? "notice bad" : "notice warn"} role="alert">
      <p>{job.errorMessage}</p>
      {job.errorReason && <code class="faint">{job.errorReason.replace(/^ERROR_REASON_/, "")}</code>}
    </div>
  );
}

/** Seconds since the job began, counted on while it works. */
function useElapsed(job: Job): number | undefined {
  const [now, setNow] = useState(Date.now());
  const ended = dateOf(job.endTime);
  useEffect(() => {
    if (ended) return undefined;
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, [Boolean(ended)]);
  const start = dateOf(job.startTime);
  return start && Math.max(0, ((ended?.getTime() ?? now) - start.getTime()) / 1000);
}

function Now({ followed, job }: { followed: Followed; job: Job }) {
  const elapsed = useElapsed(job);
  const progress = job.progress;
  const live = !jobEnded(job.state);
  const [done, total] = [Number(progress?.done ?? 0), Number(progress?.total ?? 0)];
  const [rows, allRows] = [Number(progress?.rowsDone ?? 0), Number(progress?.rowsTotal ?? 0)];
  const left = followed.rate && allRows > rows ? (allRows - rows) / followed.rate : undefined;
  const unit = job.kind === JobKind.AUDIT ? "Relationships" : "Steps";
  const complete = job.state === JobState.SUCCEEDED;
  return (
    <Card>
      <div class="progress" aria-live="polite">
        <p class="activity">{live ? (progress?.activity || "Waiting for a replica") : complete ? "Done" : "Ended"}</p>
        <Bar value={complete ? 1 : done} of={complete ? 1 : total} label={`${unit} done`} />
        {live && progress?.waitingFor && (
          <p class="notice warn">
            <strong>Waiting.</strong> {progress.waitingFor}
          </p>
        )}
        {live && <LockWait events={followed.events} />}
      </div>
      <dl class="figures inset">
        <Figure label={unit} value={`${count(done)}${total ? ` / ${count(total)}` : ""}`} />
        {live && (rows > 0 || allRows > 0) && <Figure label="Rows in this one" value={`${count(rows)}${allRows ? ` / ${count(allRows)}` : ""}`} />}
        {live && followed.rate !== undefined && <Figure label="Rows a second" value={count(Math.round(followed.rate))} />}
        {live && left !== undefined && <Figure label="Left in this one" value={`≈ ${span(left)}`} />}
        <Figure label={live ? "Running for" : "Took"} value={elapsed === undefined ? "–" : span(elapsed)} />
        {job.epoch > 1n && <Figure label="Taken over" value={plural(job.epoch - 1n, "time")} />}
      </dl>
    </Card>
  );
}

/** The lock that the job waits for now, and who holds it. */
function LockWait({ events }: { events: readonly Event[] }) {
  const last = events.at(-1);
  if (!last || (last.kind !== EventKind.LOCK_WAIT && last.kind !== EventKind.RETRY)) return null;
  return (
    <div class="notice warn">
      <p>{last.message}</p>
      {last.blockers.length > 0 && (
        <ul class="bullets">
          {last.blockers.map((blocker) => (
            <li key={blocker.pid}>
              <strong>{blocker.application || "a session without a name"}</strong>, process {blocker.pid}, in a transaction for {span(Number(blocker.ageSeconds))}
              {blocker.query && <code class="block">{blocker.query}</code>}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Verifications({ verifications }: { verifications: readonly Verification[] }) {
  return (
    <Card title="Verified afterwards" aside={<span class="faint">counted by another query than the one that cleaned up</span>}>
      <Scroll label="Verifications">
        <table class="list compact stack">
          <thead>
            <tr>
              <th scope="col">Relationship</th>
              <th scope="col" class="number">
                Before
              </th>
              <th scope="col" class="number">
                After
              </th>
              <th scope="col" class="number">
                Backed up
              </th>
              <th scope="col">Key</th>
            </tr>
          </thead>
          <tbody>
            {verifications.map((each) => (
              <tr key={each.relationshipId}>
                <th scope="row" class="mono">
                  {each.relationshipId}
                  <span class="under">{each.constraintName}</span>
                </th>
                <td data-label="Before" class="number">
                  {count(each.orphanRowsBefore)}
                </td>
                <td data-label="After" class={each.orphanRowsAfter > 0n ? "number bad-text" : "number"}>
                  {count(each.orphanRowsAfter)}
                </td>
                <td data-label="Backed up" class="number">
                  {count(each.backedUpRows)}
                </td>
                <td data-label="Key">
                  <Badge of={each.validated ? ["Validated", "good"] : each.declared ? ["Not validated", "warn"] : ["Absent", "quiet"]} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Card>
  );
}

const NOTABLE: Partial<Record<EventKind, string>> = {
  [EventKind.LOCK_WAIT]: "warn",
  [EventKind.RETRY]: "warn",
  [EventKind.HELD_BACK]: "warn",
  [EventKind.CANCEL_REQUESTED]: "warn",
  [EventKind.PAUSE_REQUESTED]: "warn",
  [EventKind.ENDED]: "busy",
};

function Events({ events, live }: { events: readonly Event[]; live: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    // Whoever scrolled up reads; everybody else sees the newest.
    if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [events.length]);
  const scrolled = () => {
    const element = box.current;
    if (element) atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
  };
  return (
    <Card title="Events" aside={<span class="faint">{live ? "live, the newest at the bottom" : plural(events.length, "event")}</span>}>
      <div class="events" ref={box} onScroll={scrolled} tabIndex={0} role="log" aria-label="Events" aria-live="off">
        {events.length === 0 && <p class="faint">Nothing happened yet.</p>}
        <ol>
          {events.map((event) => (
            <li key={String(event.sequence)} class={NOTABLE[event.kind]}>
              <span class="faint mono">{clockTime(dateOf(event.time) ?? new Date(0))}</span>
              <span class="event-kind">{eventKind(event.kind)}</span>
              <span class="event-text">
                {event.message || event.relationshipId}
                {event.rowsTotal > 0n && ` (${count(event.rowsDone)} of ${plural(event.rowsTotal, "row")})`}
              </span>
            </li>
          ))}
        </ol>
      </div>
    </Card>
  );
}
