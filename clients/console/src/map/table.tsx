// About a table that is chosen on the map.
import type { Index, Relationship, Table } from "@holdfast/core_pb";
import { relationshipName, shortName } from "../facts";
import { bytes, plural, rows, valueOf } from "../format";
import { Badge } from "../parts/parts";
import { relationshipState } from "../words";
import type { MapFacts } from "./facts";
import { keyOf, keyOfText, parseTable } from "./names";
import { Part, PartFindings } from "./part";
import type { Selection } from "./stage";

interface Props {
  readonly database: string;
  readonly selection: Extract<Selection, { kind: "table" }>;
  readonly facts: MapFacts;
  readonly select: (selection: Selection) => void;
  readonly changed: () => void;
}

export function TablePanel({ database, selection, facts, select, changed }: Props) {
  const table = facts.tables.get(selection.key);
  const name = parseTable(selection.text);
  const all = [...facts.relationships.values()];
  const outgoing = all.filter((each) => keyOf(each.referencing?.schema, each.referencing?.table) === selection.key);
  const incoming = all.filter((each) => keyOf(each.referenced?.schema, each.referenced?.table) === selection.key);
  const findings = facts.findings.filter((finding) => !finding.relationshipId && finding.table && keyOfText(finding.table) === selection.key);
  return (
    <>
      <p class="eyebrow">Table</p>
      <h2 class="mono break">{shortName(name.schema, name.name)}</h2>
      {table && (
        <p class="lead">
          {table.rowEstimate === undefined ? "never analysed" : `about ${plural(table.rowEstimate, "row")}`}, {bytes(table.sizeBytes)}
          {table.purpose && ` · ${table.purpose}`}
        </p>
      )}
      {table?.comment && <p class="quote">{table.comment}</p>}
      <RelationshipList title="References" list={outgoing} select={select} />
      <RelationshipList title="Referenced by" list={incoming} select={select} />
      <PartFindings database={database} findings={findings} changed={changed} />
      {table && <Columns table={table} />}
      {table && table.indexes.length > 0 && <Indexes indexes={table.indexes} />}
      {!table && <p class="hint">This audit kept no columns; audit again to see them.</p>}
    </>
  );
}

function RelationshipList({ title, list, select }: { title: string; list: readonly Relationship[]; select: (selection: Selection) => void }) {
  if (!list.length) return null;
  return (
    <Part title={`${title} (${list.length})`}>
      <ul class="relationships">
        {list.map((each) => (
          <li key={each.id}>
            <button type="button" class="text mono break" onClick={() => select({ kind: "relationship", id: each.id })}>
              {relationshipName(each)}
            </button>
            <span class="row tight">
              <Badge of={relationshipState(each.state)} />
              {valueOf(each.orphanRows) > 0 && <span class="bad-text">{rows(each.orphanRows)} orphan rows</span>}
            </span>
          </li>
        ))}
      </ul>
    </Part>
  );
}

function Columns({ table }: { table: Table }) {
  return (
    <Part title={`Columns (${table.columns.length})`}>
      <table class="list compact">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Type</th>
          </tr>
        </thead>
        <tbody>
          {table.columns.map((column) => (
            <tr key={column.name}>
              <th scope="row" class="mono break" title={column.comment || undefined}>
                {column.name}
                {table.primaryKey.includes(column.name) && <span class="tag">key</span>}
              </th>
              <td class="mono small-text">
                {column.type}
                {!column.nullable && <span class="faint"> not null</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Part>
  );
}

function Indexes({ indexes }: { indexes: readonly Index[] }) {
  return (
    <Part title={`Indexes (${indexes.length})`}>
      <ul class="lines">
        {indexes.map((index) => (
          <li key={index.name} class="wrap" title={index.definition}>
            <span class="mono break">{index.name}</span>
            <span class="faint mono small-text">
              {index.primary ? "primary " : index.unique ? "unique " : ""}({index.columns.map((column) => column || "expression").join(", ")})
            </span>
          </li>
        ))}
      </ul>
    </Part>
  );
}
