// Who did what to which database when, and whether the log is still the one that was written.
import type { AuditLogEntry } from "@holdfast/audit_log_service_pb";
import { useState } from "preact/hooks";
import { absolute, count, dateOf, plural, shortId } from "../format";
import { type Failure, failureOf } from "../failure";
import { useLoad } from "../load";
import { Await, Badge, Card, Empty, ErrorBox, Scroll } from "../parts/parts";
import { A, pathOf } from "../router";
import { log } from "../service";

const PAGE = 50;

export function Log() {
  return (
    <>
      <div class="page-head">
        <div>
          <h1>Audit log</h1>
          <p class="lead">Who did what to which database when. Every entry holds the hash of the one before.</p>
        </div>
      </div>
      <Verify />
      <LogList />
    </>
  );
}

function Verify() {
  const [asked, setAsked] = useState(false);
  return (
    <Card title="Is it intact?">
      {asked ? (
        <Verified />
      ) : (
        <div class="bar-row">
          <p class="faint">Recomputes the hash of every entry.</p>
          <button type="button" onClick={() => setAsked(true)}>
            Verify now
          </button>
        </div>
      )}
    </Card>
  );
}

function Verified() {
  const loaded = useLoad("verify", (signal) => log.verifyEntries({}, { signal }));
  return (
    <Await of={loaded} lines={1}>
      {(answer) => (
        <>
          <p>
            <Badge of={answer.intact ? ["Intact", "good"] : ["Broken", "bad"]} /> {plural(answer.entries, "entry", "entries")}
            {!answer.intact && `: entry ${count(answer.firstBrokenSequence)} is wrong. ${answer.message}`}
          </p>
          <p class="hint">
            Head <code class="break">{answer.headHash}</code>. Keep it elsewhere to notice a shortened log.
          </p>
        </>
      )}
    </Await>
  );
}

export function LogList({ database = "" }: { database?: string }) {
  const first = useLoad(`log/${database}`, (signal) => log.listEntries({ database, pageSize: PAGE }, { signal }));
  const [older, setOlder] = useState<{ entries: readonly AuditLogEntry[]; next: string }>();
  const [failure, setFailure] = useState<Failure>();
  const more = async (pageToken: string) => {
    setFailure(undefined);
    try {
      const page = await log.listEntries({ database, pageSize: PAGE * 2, pageToken });
      setOlder((before) => ({ entries: [...(before?.entries ?? []), ...page.entries], next: page.nextPageToken }));
    } catch (error) {
      setFailure(failureOf(error));
    }
  };
  return (
    <Await of={first} lines={8}>
      {(page) => {
        const next = older ? older.next : page.nextPageToken;
        return page.entries.length ? (
          <>
            <Entries entries={[...page.entries, ...(older?.entries ?? [])]} withDatabase={!database} />
            {failure && <ErrorBox failure={failure} />}
            {next && (
              <p class="more">
                <button type="button" onClick={() => void more(next)}>
                  Older entries
                </button>
              </p>
            )}
          </>
        ) : (
          <Empty title="Nothing was done yet." />
        );
      }}
    </Await>
  );
}

/** Where an entry's subject is shown. */
function subjectPath(entry: AuditLogEntry): string | undefined {
  if (entry.subject.startsWith("plan-")) return pathOf(["plans", entry.subject]);
  return entry.subject.startsWith("job-") ? pathOf(["jobs", entry.subject]) : undefined;
}

function Entries({ entries, withDatabase }: { entries: readonly AuditLogEntry[]; withDatabase: boolean }) {
  return (
    <div class="card flush">
      <Scroll label="Audit log">
        <table class="list stack">
          <thead>
            <tr>
              <th scope="col" class="number">
                No.
              </th>
              <th scope="col">When</th>
              <th scope="col">Who</th>
              <th scope="col">Action</th>
              {withDatabase && <th scope="col">Database</th>}
              <th scope="col">Subject</th>
              <th scope="col">Outcome</th>
            </tr>
          </thead>
          <tbody>
            {entries.map((entry) => (
              <Entry key={String(entry.sequence)} entry={entry} withDatabase={withDatabase} />
            ))}
          </tbody>
        </table>
      </Scroll>
    </div>
  );
}

function Entry({ entry, withDatabase }: { entry: AuditLogEntry; withDatabase: boolean }) {
  const path = subjectPath(entry);
  // An id is its kind and a number: `plan-0650a1b2…`.
  const label = entry.subject && `${entry.subject.split("-")[0] ?? ""} ${shortId(entry.subject)}`;
  const details = Object.entries(entry.details);
  return (
    <tr>
      <td data-label="No." class="number faint" title={entry.hash}>
        {count(entry.sequence)}
      </td>
      <td data-label="When" class="nowrap">
        {absolute(dateOf(entry.time) ?? new Date(0))}
      </td>
      <td data-label="Who" class="break who">
        {entry.principal}
      </td>
      <th scope="row">
        <code>{entry.action}</code>
        {details.length > 0 && <span class="under break">{details.map(([key, value]) => `${key}: ${value}`).join(" · ")}</span>}
      </th>
      {withDatabase && <td data-label="Database" class="nowrap">{entry.database && <A href={pathOf(["databases", entry.database])}>{entry.database}</A>}</td>}
      <td data-label="Subject" class="nowrap small-text">
        {path ? <A href={path}>{label}</A> : <span title={entry.subject}>{label}</span>}
      </td>
      <td data-label="Outcome">
        <Badge of={entry.outcome === "OK" ? ["OK", "good"] : [entry.outcome, "bad"]} />
      </td>
    </tr>
  );
}
