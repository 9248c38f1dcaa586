// Pause, resume, cancel a job at work; roll back an application that ended.
import { type Job, JobKind, JobState, type Plan, PlanState } from "@holdfast/core_pb";
import { plural } from "../format";
import { useLoad } from "../load";
import { Action, ReadOnlyHint } from "../parts/actions";
import { navigate, pathOf } from "../router";
import { jobs, migrations, plans } from "../service";
import { blockingLocks } from "../weight";
import { jobEnded, lockLevel } from "../words";

export function JobActions({ job }: { job: Job }) {
  return (
    <div class="actions">
      <div class="buttons">{jobEnded(job.state) ? <AfterEnd job={job} /> : <AtWork job={job} />}</div>
      {(!jobEnded(job.state) || job.kind === JobKind.APPLICATION) && <ReadOnlyHint database={job.database} permission="OPERATE" />}
    </div>
  );
}

/** The stream says what became of the wish; nothing is drawn before. */
function AtWork({ job }: { job: Job }) {
  const { database, id } = job;
  const pause = async () => void (await jobs.pauseJob({ id }));
  const resume = async () => void (await jobs.resumeJob({ id }));
  const cancel = async () => void (await jobs.cancelJob({ id }));
  const confirm = { title: "Cancel this job?", body: <p>It stops at the next safe point. What was done stays done; an application can be applied again or rolled back.</p>, yes: "Cancel the job" };
  return (
    <>
      {job.pauseRequested ? (
        <Action database={database} permission="OPERATE" label="Resume" kind="primary" run={resume} />
      ) : (
        <Action database={database} permission="OPERATE" label="Pause" run={pause} />
      )}
      {!job.cancelRequested && <Action database={database} permission="OPERATE" label="Cancel…" kind="danger" run={cancel} confirm={confirm} />}
    </>
  );
}

function AfterEnd({ job }: { job: Job }) {
  const loaded = useLoad(`undo/${job.id}`, async (signal) => (job.kind === JobKind.APPLICATION && job.planId ? ((await plans.getPlan({ id: job.planId }, { signal })).plan ?? null) : null));
  const plan = loaded.data;
  if (!plan || plan.state === PlanState.ROLLED_BACK) return null;
  const run = async () => {
    const started = await migrations.rollBack({ jobId: job.id, requestId: crypto.randomUUID() });
    if (started.job) navigate(pathOf(["jobs", started.job.id]));
  };
  const confirm = { title: `Roll this application back on ${job.database}?`, body: <Weight job={job} plan={plan} />, yes: "Roll back" };
  return <Action database={job.database} permission="OPERATE" label={job.state === JobState.SUCCEEDED ? "Roll back…" : "Roll back what was done…"} kind="danger" run={run} confirm={confirm} />;
}

function Weight({ job, plan }: { job: Job; plan: Plan }) {
  const restored = job.verifications.reduce((sum, each) => sum + each.backedUpRows, 0n);
  const keys = job.verifications.filter((each) => each.declared).length;
  return (
    <>
      <p>It undoes exactly what this application changed, and refuses as a whole, before anything is touched, if that cannot be exact.</p>
      <h3>Rows</h3>
      <ul class="bullets">
        <li>
          <strong>{plural(restored, "row")}</strong> come back from the backup, orphan rows among them
        </li>
        {keys > 0 && <li>{plural(keys, "foreign key")} no longer protect anything</li>}
      </ul>
      <h3>Locks</h3>
      <ul class="bullets">
        {blockingLocks(plan.steps, "undo").map(([level, tables]) => (
          <li key={level}>
            <strong>{lockLevel(level)}</strong>, for a moment, on {tables.length > 6 ? `${plural(tables.length, "table")}: ${tables.slice(0, 6).join(", ")}, …` : tables.join(", ")}
          </li>
        ))}
      </ul>
    </>
  );
}
