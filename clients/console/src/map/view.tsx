// The relationship map of a database: the drawing, what to look for on it, and a panel about what is chosen.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { orNone } from "../facts";
import { plural } from "../format";
import { useLoad } from "../load";
import { Copyable, Empty, ErrorBox, Skeleton } from "../parts/parts";
import { navigate, pathOf, usePlace } from "../router";
import { reports } from "../service";
import { readFacts } from "./facts";
import { Finder } from "./finder";
import { Legend } from "./legend";
import { keyOfText } from "./names";
import { Panel } from "./panel";
import { type Selection, Stage } from "./stage";
import { type Drawn, adopt, readDrawing } from "./svg";

interface Drawing {
  readonly drawn: Drawn;
  readonly omitted: number;
}

export function MapView({ database }: { database: string }) {
  const { query } = usePlace();
  const review = query.get("review") === "1";
  const drawing = useLoad(`map/${database}/${review}`, async (signal): Promise<Drawing | null> => {
    const answer = await orNone(reports.drawMap({ database, includeReview: review }, { signal }));
    return answer ? { drawn: readDrawing(answer.svg), omitted: Number(answer.omittedTables) } : null;
  });
  if (drawing.failure) return <ErrorBox failure={drawing.failure} retry={drawing.reload} />;
  if (drawing.data === undefined) return <Skeleton lines={10} />;
  if (drawing.data === null) {
    return (
      <Empty title="No audit has succeeded yet, so there is nothing to draw.">
        <Copyable text={`holdfast audit ${database}`} />
      </Empty>
    );
  }
  return <MapPage database={database} drawing={drawing.data} review={review} />;
}


/** What the address names. */
function useSelection(): Selection | null {
  const { query } = usePlace();
  const [table, relationship] = [query.get("table"), query.get("relationship")];
  return useMemo(() => {
    if (relationship) return { kind: "relationship", id: relationship };
    return table ? { kind: "table", key: keyOfText(table), text: table } : null;
  }, [table, relationship]);
}

interface PageProps {
  readonly database: string;
  readonly drawing: Drawing;
  readonly review: boolean;
}

function MapPage({ database, drawing, review }: PageProps) {
  // Asked for once the drawing is there, which is what everybody waits for.
  const facts = useLoad(`facts/${database}`, (signal) => readFacts(database, signal));
  const frame = useRef<HTMLDivElement>(null);
  const holder = useRef<HTMLDivElement>(null);
  const [stage, setStage] = useState<Stage>();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const selection = useSelection();
  const chosenHere = useRef(false);

  const go = (next: Selection | null, withReview = review) => {
    const place = next?.kind === "table" ? { table: next.text } : next ? { relationship: next.id } : {};
    navigate(pathOf(["databases", database, "map"], { ...place, review: withReview ? "1" : "" }), { replace: true });
  };
  const latest = useRef(go);
  latest.current = go;

  useEffect(() => {
    if (!frame.current || !holder.current) return undefined;
    adopt(drawing.drawn.css);
    const select = (next: Selection | null) => {
      chosenHere.current = true;
      latest.current(next);
    };
    const made = new Stage(frame.current, holder.current, drawing.drawn, select);
    setStage(made);
    return () => made.dispose();
  }, [drawing]);
  useEffect(() => {
    // What was clicked is in sight already; the view moves only for what was chosen elsewhere.
    stage?.show(selection, !chosenHere.current);
    chosenHere.current = false;
  }, [stage, selection]);
  useEffect(() => {
    for (const state of ["validated", "not-validated", "not-enforced", "undeclared", "review"]) holder.current?.classList.toggle(`hide-${state}`, hidden.has(state));
  }, [hidden]);

  const close = () => {
    go(null);
    frame.current?.focus();
  };
  return (
    <div class={selection ? "map-page with-panel" : "map-page"} onKeyDown={(event) => event.key === "Escape" && selection && close()}>
      <div class="map-tools">
        <Finder
          names={[...(stage?.tables.values() ?? [])].map((table) => table.dataset["table"] ?? "")}
          choose={(text) => {
            stage?.reveal(keyOfText(text));
            go({ kind: "table", key: keyOfText(text), text });
          }}
        />
        <label class="check">
          <input type="checkbox" checked={review} onChange={(event) => go(selection, event.currentTarget.checked)} /> candidates for review
        </label>
        {drawing.omitted > 0 && <span class="hint">{plural(drawing.omitted, "table")} without trouble left out</span>}
      </div>
      <div class="map-body">
        <div class="map-frame" ref={frame} tabIndex={0} role="region" aria-label="Relationship map. Arrow keys move, plus and minus zoom, 0 shows all; Tab goes to a table, arrow keys from table to table, Enter opens one.">
          <div class="map-stage" ref={holder} />
          <div class="map-buttons" role="group" aria-label="Zoom">
            <button type="button" aria-label="Zoom in" title="Zoom in (+)" onClick={() => stage?.viewport.zoomBy(1.4)}>
              +
            </button>
            <button type="button" aria-label="Zoom out" title="Zoom out (-)" onClick={() => stage?.viewport.zoomBy(1 / 1.4)}>
              −
            </button>
            <button type="button" aria-label="Show all" title="Show all (0)" onClick={() => stage?.viewport.fit()}>
              ⤢
            </button>
          </div>
          <Legend stage={stage} hidden={hidden} setHidden={setHidden} />
        </div>
        {selection && <Panel database={database} selection={selection} facts={facts} select={go} close={close} />}
      </div>
    </div>
  );
}
