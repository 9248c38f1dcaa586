// What is wrong with a database: what, so what, do what; the worst first.
import { type Finding, FindingKind, FindingState, Severity } from "@holdfast/core_pb";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { useState } from "preact/hooks";
import { findingsOf, orNone } from "../facts";
import { absolute, dateOf, plural } from "../format";
import { useLoad } from "../load";
import { Action, useAction, useObstacle } from "../parts/actions";
import { Await, Badge, Dialog, Empty, ErrorBox } from "../parts/parts";
import { A, navigate, pathOf, usePlace } from "../router";
import { audits } from "../service";
import { findingKind, findingSlug, severity } from "../words";

const LEVELS = [Severity.ERROR, Severity.WARN, Severity.INFO];

export function Findings({ database }: { database: string }) {
  const { query } = usePlace();
  const loaded = useLoad(`findings/${database}`, async (signal) => (await orNone(findingsOf(database, true, signal))) ?? null);
  const wanted = { severity: query.get("severity") ?? "", kind: query.get("kind") ?? "", text: query.get("text") ?? "" };
  const filter = (change: Partial<typeof wanted>) => navigate(pathOf(["databases", database, "findings"], { ...wanted, ...change }), { replace: true });
  return (
    <Await of={loaded} lines={8}>
      {(findings) =>
        findings === null ? (
          <Empty title="No audit has succeeded yet, so nothing was found." />
        ) : findings.length === 0 ? (
          <Empty title="Nothing is wrong.">
            <p>Every relationship is declared, validated and indexed.</p>
          </Empty>
        ) : (
          <>
            <Filters findings={findings} wanted={wanted} filter={filter} />
            <List database={database} findings={findings.filter((finding) => fits(finding, wanted))} changed={loaded.reload} />
          </>
        )
      }
    </Await>
  );
}

interface Wanted {
  readonly severity: string;
  readonly kind: string;
  readonly text: string;
}

function fits(finding: Finding, wanted: Wanted): boolean {
  const text = wanted.text.toLowerCase();
  return (
    (!wanted.severity || severity(finding.severity)[0].toLowerCase() === wanted.severity) &&
    (!wanted.kind || findingSlug(finding.kind) === wanted.kind) &&
    (!text || finding.id.toLowerCase().includes(text) || finding.message.toLowerCase().includes(text))
  );
}

function Filters({ findings, wanted, filter }: { findings: readonly Finding[]; wanted: Wanted; filter: (change: Partial<Wanted>) => void }) {
  const kinds = [...new Set(findings.map((finding) => finding.kind))].sort((a, b) => a - b);
  return (
    <div class="filters">
      <div class="joined" role="group" aria-label="Severity">
        <button type="button" aria-pressed={!wanted.severity} onClick={() => filter({ severity: "" })}>
          All <span class="faint">{findings.length}</span>
        </button>
        {LEVELS.map((level) => {
          const label = severity(level)[0];
          const number = findings.filter((finding) => finding.severity === level).length;
          return (
            <button key={level} type="button" disabled={!number} aria-pressed={wanted.severity === label.toLowerCase()} onClick={() => filter({ severity: label.toLowerCase() })}>
              {label} <span class="faint">{number}</span>
            </button>
          );
        })}
      </div>
      <select aria-label="Kind" value={wanted.kind} onChange={(event) => filter({ kind: event.currentTarget.value })}>
        <option value="">All kinds</option>
        {kinds.map((kind) => (
          <option key={kind} value={findingSlug(kind)}>
            {findingKind(kind)}
          </option>
        ))}
      </select>
      <input type="search" aria-label="Search findings" placeholder="Table or column" value={wanted.text} onInput={(event) => filter({ text: event.currentTarget.value })} />
    </div>
  );
}

const MOST = 200;

function List({ database, findings, changed }: { database: string; findings: readonly Finding[]; changed: () => void }) {
  const [shown, setShown] = useState(MOST);
  if (!findings.length) return <Empty title="No finding fits the filter." />;
  return (
    <>
      <ul class="findings">
        {findings.slice(0, shown).map((finding) => (
          <FindingItem key={finding.id} database={database} finding={finding} changed={changed} />
        ))}
      </ul>
      {findings.length > shown && (
        <p class="more">
          <button type="button" onClick={() => setShown(shown + MOST)}>
            Show more of {plural(findings.length, "finding")}
          </button>
        </p>
      )}
    </>
  );
}

export function FindingItem({ database, finding, changed }: { database: string; finding: Finding; changed: () => void }) {
  const ignored = finding.state === FindingState.IGNORED;
  const place = finding.relationshipId ? { relationship: finding.relationshipId } : { table: finding.table };
  return (
    <li class={ignored ? "finding ignored" : "finding"}>
      <div class="finding-head">
        <Badge of={severity(finding.severity)} />
        <span class="faint">{FindingKind[finding.kind] ? findingKind(finding.kind) : "Finding"}</span>
        {ignored && <Badge of={["Ignored", "quiet"]} />}
        <span class="end">
          <A href={pathOf(["databases", database, "map"], place)}>On the map</A>
        </span>
      </div>
      <p class="what">{finding.message}</p>
      {finding.consequence && <p class="so-what">{finding.consequence}</p>}
      {finding.cure && (
        <p class="do-what">
          <strong>What to do</strong> {finding.cure}
        </p>
      )}
      {finding.ignored && (
        <p class="hint">
          Ignored by {finding.ignored.principal}: “{finding.ignored.reason}”
          {finding.ignored.expireTime && `, until ${absolute(dateOf(finding.ignored.expireTime) as Date)}`}
        </p>
      )}
      <div class="finding-foot">
        <code class="faint">{finding.id}</code>
        {ignored ? <Unignore database={database} finding={finding} changed={changed} /> : <Ignore database={database} finding={finding} changed={changed} />}
      </div>
    </li>
  );
}

interface ItemProps {
  readonly database: string;
  readonly finding: Finding;
  readonly changed: () => void;
}

function Unignore({ database, finding, changed }: ItemProps) {
  const run = async () => {
    await audits.unignoreFinding({ database, findingId: finding.id });
    changed();
  };
  return <Action database={database} permission="AUDIT" label="Open again" run={run} />;
}

function Ignore({ database, finding, changed }: ItemProps) {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const obstacle = useObstacle(database, "AUDIT");
  const { busy, failure, act } = useAction(database, "AUDIT", async () => {
    const expireTime = until ? timestampFromDate(new Date(`${until}T00:00:00`)) : undefined;
    await audits.ignoreFinding({ database, findingId: finding.id, reason, expireTime });
    changed();
  });
  if (obstacle) return null;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await act()) setOpen(false);
  };
  return (
    <>
      <button type="button" class="small" onClick={() => setOpen(true)}>
        Ignore…
      </button>
      <Dialog title="Live with this finding" open={open} close={() => setOpen(false)}>
        <form onSubmit={(event) => void submit(event)}>
          <p class="what">{finding.message}</p>
          <label class="field">
            Why
            <input required maxLength={1000} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
          </label>
          <label class="field">
            Until <span class="faint">(empty: for good)</span>
            <input type="date" value={until} onInput={(event) => setUntil(event.currentTarget.value)} />
          </label>
          {failure && <ErrorBox failure={failure} />}
          <div class="buttons">
            <button type="button" onClick={() => setOpen(false)}>
              Not now
            </button>
            <button type="submit" class="primary" disabled={busy || !reason.trim()} aria-busy={busy}>
              Ignore
            </button>
          </div>
        </form>
      </Dialog>
    </>
  );
}
