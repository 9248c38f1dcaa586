// Following a job: its events as they come, over any number of broken connections, none missed and none twice.
import { Code, ConnectError } from "@connectrpc/connect";
import { type Event, EventKind, type Job } from "@holdfast/core_pb";
import { useEffect, useState } from "preact/hooks";
import { type Failure, failureOf } from "./failure";
import { dateOf } from "./format";
import { jobs } from "./service";
import { useSession } from "./session";

export interface Followed {
  readonly job?: Job;
  readonly events: readonly Event[];
  /** Rows a second in the current unit; undefined until two observations are apart enough. */
  readonly rate?: number;
  readonly failure?: Failure;
  /** True while the line is broken and will be tried again. */
  readonly reconnecting: boolean;
}

/** Older ones leave the page, not the service. */
const MOST_EVENTS = 2000;
const WINDOW_MS = 15_000;
/** Without a word for so long (heartbeats come every few seconds) the line is taken for dead. */
const SILENCE_MS = 60_000;
const FINAL: readonly Code[] = [Code.NotFound, Code.PermissionDenied, Code.Unauthenticated, Code.InvalidArgument, Code.OutOfRange];

export function useWatch(id: string): Followed {
  const [state, setState] = useState<Followed>({ events: [], reconnecting: false });
  const { token } = useSession();
  useEffect(() => {
    const abort = new AbortController();
    setState({ events: [], reconnecting: false });
    void follow(id, abort.signal, setState);
    return () => abort.abort();
  }, [id, token]);
  return state;
}

type Update = (change: (before: Followed) => Followed) => void;

async function follow(id: string, signal: AbortSignal, update: Update): Promise<void> {
  let resumeToken = "";
  let pause = 500;
  while (!signal.aborted) {
    const line = new AbortController();
    const end = () => line.abort();
    signal.addEventListener("abort", end, { once: true });
    let silence = window.setTimeout(end, SILENCE_MS);
    try {
      const waiting = new Batch(update);
      for await (const message of jobs.watchJob({ id, resumeToken }, { signal: line.signal })) {
        window.clearTimeout(silence);
        silence = window.setTimeout(end, SILENCE_MS);
        resumeToken = message.resumeToken || resumeToken;
        pause = 500;
        const { case: kind, value } = message.payload;
        if (kind === "snapshot" || kind === "final") waiting.add((before) => ({ ...before, job: value, reconnecting: false, failure: undefined }));
        if (kind === "event") waiting.add((before) => happened(before, value));
        if (kind === "final") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      const { code } = ConnectError.from(error);
      if (FINAL.includes(code)) return update((before) => ({ ...before, failure: failureOf(error), reconnecting: false }));
    } finally {
      window.clearTimeout(silence);
      signal.removeEventListener("abort", end);
    }
    update((before) => ({ ...before, reconnecting: true }));
    await new Promise((resolve) => window.setTimeout(resolve, pause));
    pause = Math.min(pause * 2, 10_000);
  }
}

/** Thousands of old events arrive at once: they are drawn together, once a frame. */
class Batch {
  private changes: ((before: Followed) => Followed)[] = [];
  constructor(private readonly update: Update) {}

  add(change: (before: Followed) => Followed): void {
    if (this.changes.push(change) === 1) window.setTimeout(() => this.flush(), 16);
  }

  private flush(): void {
    const changes = this.changes;
    this.changes = [];
    this.update((before) => changes.reduce((state, change) => change(state), before));
  }
}

function happened(before: Followed, event: Event): Followed {
  const events = [...before.events.slice(-MOST_EVENTS + 1), event];
  return { ...before, events, job: before.job && advanced(before.job, event), rate: rateOf(events), reconnecting: false, failure: undefined };
}

/** The job as it stands after an event, until the service says more. */
function advanced(job: Job, event: Event): Job {
  const progress = job.progress;
  if (!progress || job.endTime) return job;
  const done = event.kind === EventKind.STEP_DONE || event.kind === EventKind.STEP_SKIPPED ? Number(progress.done) + 1 : Number(progress.done);
  const moving = event.kind !== EventKind.HELD_BACK;
  return {
    ...job,
    pauseRequested: event.kind === EventKind.PAUSE_REQUESTED || (job.pauseRequested && event.kind !== EventKind.RESUME_REQUESTED),
    cancelRequested: job.cancelRequested || event.kind === EventKind.CANCEL_REQUESTED,
    progress: {
      ...progress,
      activity: event.kind === EventKind.STEP_STARTED ? event.message : progress.activity,
      done: BigInt(progress.total > 0n ? Math.min(done, Number(progress.total)) : done),
      rowsDone: event.rowsDone,
      rowsTotal: event.rowsTotal,
      waitingFor: moving ? "" : event.message,
    },
  };
}

function rateOf(events: readonly Event[]): number | undefined {
  const last = events.at(-1);
  if (!last || last.rowsDone === 0n) return undefined;
  const until = dateOf(last.time)?.getTime() ?? 0;
  const first = events.find(
    (event) => event.step === last.step && event.relationshipId === last.relationshipId && until - (dateOf(event.time)?.getTime() ?? 0) <= WINDOW_MS && event.rowsDone < last.rowsDone,
  );
  const seconds = first ? (until - (dateOf(first.time)?.getTime() ?? 0)) / 1000 : 0;
  return first && seconds > 0.2 ? Number(last.rowsDone - first.rowsDone) / seconds : undefined;
}
