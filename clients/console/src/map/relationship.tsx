// About one relationship: what the rows say, since when, what to do, and the step that would do it.
import { OnDelete, type OrphanDetails, type Relationship, RelationshipState } from "@holdfast/core_pb";
import type { SampleOrphansResponse } from "@holdfast/audit_service_pb";
import { useEffect, useState } from "preact/hooks";
import { orphanHistory, shortName } from "../facts";
import { type Failure, failureOf } from "../failure";
import { absolute, count, dateOf, percent, plural, rows, valueOf } from "../format";
import { useLoad } from "../load";
import { Sparkline } from "../parts/chart";
import { Await, Badge, ErrorBox, Scroll } from "../parts/parts";
import { A, pathOf } from "../router";
import { audits } from "../service";
import { StepItem } from "../views/step";
import { onDelete, orphanCause, planState, relationshipState, risk } from "../words";
import type { MapFacts } from "./facts";
import { keyOf } from "./names";
import { Part, PartFindings } from "./part";
import type { Selection } from "./stage";

interface Props {
  readonly database: string;
  readonly relationship: Relationship;
  readonly facts: MapFacts;
  readonly select: (selection: Selection) => void;
  readonly changed: () => void;
}

export function RelationshipPanel({ database, relationship, facts, select, changed }: Props) {
  const number = valueOf(relationship.orphanRows);
  const findings = facts.findings.filter((finding) => finding.relationshipId === relationship.id);
  return (
    <>
      <p class="eyebrow">Relationship</p>
      <Ends relationship={relationship} select={select} />
      <p class="row tight">
        <Badge of={relationshipState(relationship.state)} />
        {relationship.risk > 0 && <Badge of={risk(relationship.risk)} />}
        <span class="tag">{relationship.nullable ? "nullable" : "required"}</span>
        {!relationship.indexed && <Badge of={["No index", "warn"]} />}
      </p>
      {relationship.obstacle && <p class="notice warn">{relationship.obstacle}</p>}
      <Part title="Orphan rows">
        <div class="big-number">
          <strong class={number > 0 ? "bad-text" : "good-text"}>{rows(relationship.orphanRows)}</strong>
          <History database={database} id={relationship.id} />
        </div>
        {relationship.orphanRows?.reason && <p class="hint">{relationship.orphanRows.reason}</p>}
        {relationship.orphanDetails && number > 0 && <Details details={relationship.orphanDetails} />}
        {number > 0 && <Samples key={relationship.id} database={database} id={relationship.id} />}
      </Part>
      <Advice relationship={relationship} />
      <PartFindings database={database} findings={findings} changed={changed} />
      <Suggested facts={facts} relationship={relationship} />
      <Evidence relationship={relationship} />
    </>
  );
}

function Ends({ relationship, select }: { relationship: Relationship; select: (selection: Selection) => void }) {
  const side = (set: Relationship["referencing"]) => {
    if (!set) return null;
    const go = () => select({ kind: "table", key: keyOf(set.schema, set.table), text: [set.schema, set.table].map(quoted).join(".") });
    return (
      <span class="end-name mono">
        <button type="button" class="text" onClick={go}>
          {shortName(set.schema, set.table)}
        </button>
        .{set.columns.length === 1 ? set.columns[0] : `(${set.columns.join(", ")})`}
      </span>
    );
  };
  return (
    <h2 class="ends">
      {side(relationship.referencing)}
      <span class="arrow">references</span>
      {side(relationship.referenced)}
    </h2>
  );
}

/** Quoted always: what reads it takes both. */
function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function History({ database, id }: { database: string; id: string }) {
  const loaded = useLoad(`history/${database}/${id}`, (signal) => orphanHistory(database, id, 1000, signal));
  return <Await of={loaded} lines={1}>{(points) => <Sparkline points={points} />}</Await>;
}

function Details({ details }: { details: OrphanDetails }) {
  const [first, last] = [dateOf(details.firstSeen), dateOf(details.lastSeen)];
  return (
    <dl class="facts">
      <dt>Distinct values</dt>
      <dd>{count(details.distinctValues)}</dd>
      {details.share !== undefined && (
        <>
          <dt>Share of the rows</dt>
          <dd>{percent(details.share)}</dd>
        </>
      )}
      {details.causes.length > 0 && (
        <>
          <dt>Why</dt>
          <dd>
            {details.causes.map((cause) => (
              <div key={cause.cause}>
                {count(cause.rows)}: {orphanCause(cause.cause)}
              </div>
            ))}
          </dd>
        </>
      )}
      {first && last && (
        <>
          <dt title={`By ${details.seenColumn}`}>Made between</dt>
          <dd>
            {absolute(first)} and {absolute(last)}
          </dd>
        </>
      )}
      {details.taken.length > 0 && (
        <>
          <dt>Deleting them takes</dt>
          <dd>
            {details.taken.map((taken) => (
              <div key={taken.table}>
                {plural(taken.rows, "row")} of <span class="mono">{taken.table}</span>
              </div>
            ))}
          </dd>
        </>
      )}
      {details.blocked && (
        <>
          <dt>Deleting cannot work</dt>
          <dd>{details.blocked}</dd>
        </>
      )}
      {details.unknown && (
        <>
          <dt>Not known</dt>
          <dd>{details.unknown}</dd>
        </>
      )}
    </dl>
  );
}

function Samples({ database, id }: { database: string; id: string }) {
  const [answer, setAnswer] = useState<SampleOrphansResponse>();
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  useEffect(() => setAnswer(undefined), [id]);
  const ask = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      setAnswer(await audits.sampleOrphans({ database, relationshipId: id, limit: 10, masked: true }));
    } catch (error) {
      setFailure(failureOf(error));
    } finally {
      setBusy(false);
    }
  };
  if (!answer) {
    return (
      <>
        <button type="button" class="small" disabled={busy} aria-busy={busy} onClick={() => void ask()}>
          Show sample rows, masked
        </button>
        {failure && <ErrorBox failure={failure} />}
      </>
    );
  }
  return (
    <Scroll label="Sample rows, masked">
      <table class="list compact">
        <caption>Letters are shown as a, digits as 9.</caption>
        <thead>
          <tr>
            {answer.columns.map((column) => (
              <th key={column} scope="col" class="mono">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {answer.samples.map((sample, index) => (
            <tr key={index}>
              {sample.values.map((value, place) => (
                <td key={place} class="mono">
                  {sample.nulls[place] ? <span class="faint">NULL</span> : value}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Advice({ relationship }: { relationship: Relationship }) {
  const declared = relationship.declared;
  return (
    <Part title={declared ? "ON DELETE, as declared" : "Suggested ON DELETE"}>
      <p class="advice">
        <code class="strong">{onDelete(declared ? relationship.declaredOnDelete : relationship.suggestedOnDelete)}</code>
      </p>
      {relationship.rationale && <p>{relationship.rationale}</p>}
      {relationship.constraintName && (
        <p class="hint">
          Key <span class="mono">{relationship.constraintName}</span>
        </p>
      )}
      {relationship.otherActions.length > 0 && (
        <details>
          <summary>Other choices</summary>
          <ul class="bullets">
            {relationship.otherActions.map((other) => (
              <li key={other.onDelete}>
                <code>{onDelete(other.onDelete ?? OnDelete.UNSPECIFIED)}</code> {other.rationale}
              </li>
            ))}
          </ul>
        </details>
      )}
    </Part>
  );
}

function Suggested({ facts, relationship }: { facts: MapFacts; relationship: Relationship }) {
  const steps = facts.plan?.steps.filter((step) => step.relationshipId === relationship.id) ?? [];
  if (facts.plan && steps.length) {
    return (
      <Part title="Suggested steps">
        <p class="hint">
          Of <A href={pathOf(["plans", facts.plan.id])}>the latest plan</A> <Badge of={planState(facts.plan.state)} />
        </p>
        <ol class="steps tight">
          {steps.map((step) => (
            <StepItem key={step.number} step={step} />
          ))}
        </ol>
      </Part>
    );
  }
  if (facts.plan || relationship.state === RelationshipState.VALIDATED) return null;
  return (
    <Part title="Suggested step">
      <p class="hint">A plan says step by step what to do; making one changes nothing.</p>
    </Part>
  );
}

function Evidence({ relationship }: { relationship: Relationship }) {
  if (relationship.declared) return null;
  return (
    <Part title={`Why it is meant: ${percent(relationship.confidence)}`}>
      <ul class="bullets">
        {relationship.evidence.map((each, index) => (
          <li key={index}>{each.text}</li>
        ))}
      </ul>
      {relationship.alternatives.length > 0 && (
        <p class="hint">
          Or{" "}
          {relationship.alternatives.map((other) => `${shortName(other.referenced?.schema ?? "", other.referenced?.table ?? "")}.${other.referenced?.columns.join(", ") ?? ""} (${percent(other.confidence)})`).join("; ")}
        </p>
      )}
    </Part>
  );
}
