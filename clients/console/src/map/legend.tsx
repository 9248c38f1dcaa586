// What lines mean; a press hides or shows all of one state.
import { useEffect, useState } from "preact/hooks";
import { count } from "../format";
import type { Stage } from "./stage";

const STATES = [
  ["undeclared", "Undeclared"],
  ["not-validated", "Not validated"],
  ["not-enforced", "Not enforced"],
  ["validated", "Validated"],
  ["review", "For review"],
] as const;

interface Props {
  readonly stage: Stage | undefined;
  readonly hidden: ReadonlySet<string>;
  readonly setHidden: (hidden: ReadonlySet<string>) => void;
}

export function Legend({ stage, hidden, setHidden }: Props) {
  const [numbers, setNumbers] = useState<ReadonlyMap<string, number>>(new Map());
  const [hot, setHot] = useState(false);
  useEffect(() => {
    const found = new Map<string, number>();
    for (const [element] of stage?.relationships.values() ?? []) {
      const state = element?.dataset["state"] ?? "";
      found.set(state, (found.get(state) ?? 0) + 1);
    }
    setNumbers(found);
    setHot([...(stage?.relationships.values() ?? [])].some(([element]) => Number(element?.dataset["orphans"] ?? 0) > 0));
  }, [stage]);
  const toggle = (state: string) => {
    const next = new Set(hidden);
    if (!next.delete(state)) next.add(state);
    setHidden(next);
  };
  return (
    <div class="map-legend holdfast-map" role="group" aria-label="Legend: press to hide or show">
      {STATES.filter(([state]) => numbers.has(state)).map(([state, label]) => (
        <button key={state} type="button" class={state} aria-pressed={!hidden.has(state)} onClick={() => toggle(state)}>
          <svg width="26" height="8" aria-hidden="true">
            <path class="way" d="M1 4h24" />
          </svg>
          {label} <span class="faint">{count(numbers.get(state) ?? 0)}</span>
        </button>
      ))}
      {hot && (
        <span class="heat-key">
          {[1, 2, 3, 4].map((degree) => (
            <svg key={degree} class={`heat-${degree}`} width="14" height="8" aria-hidden="true">
              <path class="way" d="M1 4h12" />
            </svg>
          ))}
          orphan rows, few to many
        </span>
      )}
    </div>
  );
}
