// The drawn map on the page: what can be selected on it, and what selecting looks like. Everything here is plain DOM, because the
// drawing of a large database has more elements than a virtual tree should compare.
import { keyOfText } from "./names";
import { nearest } from "./roving";
import type { Drawn } from "./svg";
import { Viewport } from "./viewport";

export type Selection = { readonly kind: "table"; readonly key: string; readonly text: string } | { readonly kind: "relationship"; readonly id: string };

const STEP = 80;
const CLOSER = 1.3;

export class Stage {
  readonly tables = new Map<string, SVGGElement>();
  readonly relationships = new Map<string, SVGGElement[]>();
  readonly viewport: Viewport;
  private selected: SVGGElement[] = [];
  private stop: SVGGElement | undefined;
  private readonly abort = new AbortController();

  constructor(
    frame: HTMLElement,
    stage: HTMLElement,
    private readonly drawn: Drawn,
    private readonly select: (selection: Selection | null) => void,
  ) {
    const { svg } = drawn;
    stage.replaceChildren(svg);
    this.viewport = new Viewport(frame, stage, drawn);
    for (const table of svg.querySelectorAll<SVGGElement>("[data-table]")) {
      this.tables.set(keyOfText(table.dataset["table"] ?? ""), table);
      table.setAttribute("tabindex", "-1");
      table.setAttribute("role", "button");
    }
    for (const each of svg.querySelectorAll<SVGGElement>("[data-relationship]")) {
      const id = each.dataset["relationship"] ?? "";
      this.relationships.set(id, [...(this.relationships.get(id) ?? []), each]);
      each.setAttribute("tabindex", "-1");
    }
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", "Relationship map");
    const { signal } = this.abort;
    svg.addEventListener("click", (event) => this.clicked(event), { signal });
    frame.addEventListener("keydown", (event) => this.pressed(event), { signal });
    this.stopAt([...this.tables.values()][0]);
    this.viewport.fit();
  }

  dispose(): void {
    this.abort.abort();
    this.viewport.dispose();
  }

  /** Mark what is selected, and dim what has nothing to do with it. */
  show(selection: Selection | null, reveal: boolean): void {
    const { svg } = this.drawn;
    for (const element of svg.querySelectorAll(".selected, .near")) element.classList.remove("selected", "near");
    this.selected = selection ? this.elementsOf(selection) : [];
    svg.classList.toggle("has-selection", this.selected.length > 0);
    for (const element of this.selected) element.classList.add("selected");
    if (selection) this.markNear(selection);
    const first = this.selected[0];
    if (first?.dataset["table"]) this.stopAt(first);
    if (first && reveal && !this.viewport.isSeen(first)) this.viewport.showBox(this.viewport.boxOf(first));
  }

  /** Bring a table into the middle. */
  reveal(key: string): void {
    const table = this.tables.get(key);
    if (table) this.viewport.showBox(this.viewport.boxOf(table));
  }

  private elementsOf(selection: Selection): SVGGElement[] {
    if (selection.kind === "relationship") return this.relationships.get(selection.id) ?? [];
    const table = this.tables.get(selection.key);
    return table ? [table] : [];
  }

  private markNear(selection: Selection): void {
    for (const [id, elements] of this.relationships) {
      const ends = endsOf(id);
      const isNear = selection.kind === "table" ? ends.includes(selection.key) : id === selection.id;
      if (!isNear) continue;
      for (const element of elements) element.classList.add("near");
      for (const end of ends) this.tables.get(end)?.classList.add("near");
    }
    if (selection.kind === "table") this.tables.get(selection.key)?.classList.add("near");
  }

  private clicked(event: MouseEvent): void {
    const target = event.target instanceof Element ? event.target.closest<SVGGElement>("[data-relationship], [data-table]") : null;
    this.select(target ? selectionOf(target) : null);
    if (target) target.focus({ preventScroll: true });
  }

  private stopAt(table: SVGGElement | undefined): void {
    this.stop?.setAttribute("tabindex", "-1");
    table?.setAttribute("tabindex", "0");
    this.stop = table;
  }

  private pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const on = event.target instanceof Element ? event.target.closest<SVGGElement>("[data-table], [data-relationship]") : null;
    if (this.handled(event.key, on)) event.preventDefault();
  }

  private handled(key: string, on: SVGGElement | null): boolean {
    switch (key) {
      case "+":
      case "=":
        this.viewport.zoomBy(CLOSER);
        return true;
      case "-":
        this.viewport.zoomBy(1 / CLOSER);
        return true;
      case "0":
        this.viewport.fit();
        return true;
      case "Enter":
      case " ":
        if (on) this.select(selectionOf(on));
        return on !== null;
      case "ArrowLeft":
      case "ArrowRight":
      case "ArrowUp":
      case "ArrowDown":
        if (on) this.walk(on, key);
        else this.viewport.moveBy(key === "ArrowLeft" ? STEP : key === "ArrowRight" ? -STEP : 0, key === "ArrowUp" ? STEP : key === "ArrowDown" ? -STEP : 0);
        return true;
      default:
        return false;
    }
  }

  private walk(from: SVGGElement, key: string): void {
    const next = nearest(from, [...this.tables.values()], key) as SVGGElement | undefined;
    if (!next) return;
    this.stopAt(next);
    next.focus({ preventScroll: true });
    if (!this.viewport.isSeen(next)) this.viewport.showBox(this.viewport.boxOf(next));
  }
}

function selectionOf(element: SVGGElement): Selection {
  const { relationship, table } = element.dataset;
  return relationship !== undefined ? { kind: "relationship", id: relationship } : { kind: "table", key: keyOfText(table ?? ""), text: table ?? "" };
}

/** The tables of a relationship's id, `schema.table(columns)->schema.table(columns)`. */
export function endsOf(id: string): string[] {
  const referenced = id.slice(arrowIn(id) + 2);
  return [keyOfText(id), keyOfText(referenced)];
}

/** Where the arrow is: the first one outside quotes. */
function arrowIn(id: string): number {
  let quoted = false;
  for (let place = 0; place < id.length; place += 1) {
    if (id[place] === '"') quoted = !quoted;
    else if (!quoted && id.startsWith("->", place)) return place;
  }
  return id.length;
}
