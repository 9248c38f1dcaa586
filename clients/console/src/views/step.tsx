// One step of a plan: what it does, its strongest lock, its hazards, and its SQL both ways.
import { LockLevel, type Statement, type Step } from "@holdfast/core_pb";
import { plural } from "../format";
import { Badge } from "../parts/parts";
import { hazardKind, lockLevel, lockTone } from "../words";
import { strongestLock } from "../weight";

export function StepItem({ step, open = false }: { step: Step; open?: boolean }) {
  const lock = strongestLock(step.statements);
  return (
    <li class="step">
      <span class="step-number" aria-hidden="true">
        {step.number}
      </span>
      <div class="step-body">
        <p class="step-title">{step.title}</p>
        <p class="row tight small-text">
          {lock.level !== LockLevel.UNSPECIFIED && <Badge of={[lockLevel(lock.level), lockTone(lock.level)]} title={`on ${lock.tables.join(", ")}`} />}
          {step.rowEstimate > 0n && <span class="faint nowrap">≈ {plural(step.rowEstimate, "row")}</span>}
          {step.hazards.map((hazard, index) => (
            <span key={index} class="hazard">
              {hazardKind(hazard.kind)}
            </span>
          ))}
        </p>
        <details class="sql-toggle" open={open}>
          <summary>{step.hazards.length ? "Hazards and SQL" : "SQL"}</summary>
          {step.hazards.length > 0 && (
            <ul class="hazards">
              {step.hazards.map((hazard, index) => (
                <li key={index}>
                  <strong>{hazardKind(hazard.kind)}.</strong> {hazard.message}
                </li>
              ))}
            </ul>
          )}
          <Sql title="Forward" statements={step.statements} />
          {step.undo.length > 0 && <Sql title="Undo" statements={step.undo} />}
          {step.doneWhen && (
            <>
              <h4>Done when this is true</h4>
              <pre tabIndex={0}>{step.doneWhen.trim()}</pre>
            </>
          )}
        </details>
      </div>
    </li>
  );
}

function Sql({ title, statements }: { title: string; statements: readonly Statement[] }) {
  return (
    <>
      <h4>{title}</h4>
      {statements.map((statement, index) => (
        <div key={index}>
          <pre tabIndex={0}>{statement.sql.trim()}</pre>
          {statement.locks.length > 0 && (
            <p class="hint">
              {statement.locks.map((lock) => `${lockLevel(lock.level)} on ${lock.table}`).join("; ")}
              {!statement.transactional && ". Outside a transaction"}
            </p>
          )}
        </div>
      ))}
    </>
  );
}
