// About the table or relationship that is chosen on the map.
import { useEffect, useRef } from "preact/hooks";
import type { Loaded } from "../load";
import { Await, Empty } from "../parts/parts";
import type { MapFacts } from "./facts";
import { RelationshipPanel } from "./relationship";
import type { Selection } from "./stage";
import { TablePanel } from "./table";

interface Props {
  readonly database: string;
  readonly selection: Selection;
  readonly facts: Loaded<MapFacts>;
  readonly select: (selection: Selection | null) => void;
  readonly close: () => void;
}

export function Panel({ database, selection, facts, select, close }: Props) {
  const element = useRef<HTMLElement>(null);
  const subject = selection.kind === "table" ? selection.key : selection.id;
  useEffect(() => {
    element.current?.scrollTo(0, 0);
    element.current?.focus({ preventScroll: true });
  }, [subject]);
  return (
    <aside class="panel" ref={element} tabIndex={-1} aria-label={selection.kind === "table" ? "Table" : "Relationship"}>
      <button type="button" class="panel-close quiet" aria-label="Close (Escape)" title="Close (Escape)" onClick={close}>
        ×
      </button>
      <Await of={facts} lines={6}>
        {(known) => {
          if (selection.kind === "table") return <TablePanel database={database} selection={selection} facts={known} select={select} changed={facts.reload} />;
          const relationship = known.relationships.get(selection.id);
          return relationship ? (
            <RelationshipPanel database={database} relationship={relationship} facts={known} select={select} changed={facts.reload} />
          ) : (
            <Empty title="The latest audit does not know this relationship." />
          );
        }}
      </Await>
    </aside>
  );
}
