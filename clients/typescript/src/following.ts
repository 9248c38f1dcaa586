// Following a job through broken connections: every message comes exactly once.
import { setTimeout as pause } from "node:timers/promises";

import { Code, ConnectError, type Client } from "@connectrpc/connect";

import type { JobService, WatchJobResponse } from "./gen/holdfast/v1/job_service_pb.js";
import { isCut } from "./reason.js";

export interface FollowOptions {
  /** Token of the last message received; empty for all events from the first. */
  resumeToken?: string;
  /** Stops following; the job goes on. */
  signal?: AbortSignal;
  /** Gives up after so long without anything new; 2 minutes. */
  patienceMs?: number;
  /** A stream without even a heartbeat for so long is dead, whatever the connection says; 1 minute. */
  silenceMs?: number;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** Yields the snapshot, every event once, heartbeats and the final state, and reconnects as often as needed. */
export async function* follow(
  jobs: Client<typeof JobService>,
  id: string,
  { resumeToken = "", signal, patienceMs = 120_000, silenceMs = 60_000 }: FollowOptions = {},
): AsyncGenerator<WatchJobResponse, void, undefined> {
  let seen = false;
  let failures = 0;
  let heard = Date.now();
  for (;;) {
    signal?.throwIfAborted();
    const stream = new Listening(silenceMs, signal);
    let welcome = false;
    try {
      for await (const message of jobs.watchJob({ id, resumeToken }, { signal: stream.signal, timeoutMs: 0 })) {
        stream.heard();
        welcome = true;
        resumeToken = message.resumeToken || resumeToken;
        // The snapshot of a later connection tells nothing that its events do not.
        if (message.payload.case === "snapshot" && seen) continue;
        [seen, failures, heard] = [true, 0, Date.now()];
        yield message;
        if (message.payload.case === "final") return;
      }
      throw new ConnectError("The stream ended without a word about the job's end.", Code.Unavailable);
    } catch (error) {
      signal?.throwIfAborted();
      // A job may outlive the token that its following began with; the next call asks for the present one.
      const expired = welcome && ConnectError.from(error).code === Code.Unauthenticated;
      if (!(stream.isSilent || isCut(error) || expired) || Date.now() - heard > patienceMs) throw error;
    } finally {
      stream.stop();
    }
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures++, 16));
    await pause(longest * (0.5 + Math.random() / 2), undefined, signal ? { signal } : {});
  }
}

/** Aborts one stream when nothing is heard of it, or when its reader stops. */
class Listening {
  isSilent = false;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #stop = (): void => this.#controller.abort();

  constructor(silenceMs: number, outer: AbortSignal | undefined) {
    this.#outer = outer;
    outer?.addEventListener("abort", this.#stop);
    this.#timer = setTimeout(() => {
      this.isSilent = true;
      this.#stop();
    }, silenceMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  heard(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#stop);
    this.#controller.abort();
  }
}
