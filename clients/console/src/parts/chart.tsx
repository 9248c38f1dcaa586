// Orphan rows over time: a spark in a list, a chart on a page.
import { useEffect, useRef, useState } from "preact/hooks";
import { absolute, count, plural, shortCount } from "../format";

export interface Point {
  readonly at: Date;
  readonly rows: number;
}

const WIDTH = 112;
const HEIGHT = 28;

export function Sparkline({ points }: { points: readonly Point[] }) {
  if (points.length < 2) return <span class="faint nowrap">{points.length ? "one audit" : "no history"}</span>;
  const most = Math.max(1, ...points.map((point) => point.rows));
  const places = points.map((point, index) => [2 + (index / (points.length - 1)) * (WIDTH - 4), HEIGHT - 3 - (point.rows / most) * (HEIGHT - 6)] as const);
  const last = places.at(-1) ?? [0, 0];
  const label = `Orphan rows over ${plural(points.length, "audit")}: from ${count(points[0]?.rows ?? 0)} to ${count(points.at(-1)?.rows ?? 0)}`;
  return (
    <svg class="spark" width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      <polyline points={places.map((place) => place.join(",")).join(" ")} />
      <circle cx={last[0]} cy={last[1]} r="2.5" />
    </svg>
  );
}

/** A round number at or above the given one, for the top of the scale. */
function ceiling(value: number): number {
  if (value <= 4) return 4;
  const unit = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 4, 5, 10].find((factor) => factor * unit >= value) ?? 10) * unit;
}

/** The room there is: text on a chart keeps its size. */
function useWidth() {
  const figure = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(640);
  useEffect(() => {
    const element = figure.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setWidth(Math.max(240, element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [figure, width] as const;
}

export function HistoryChart({ points }: { points: readonly Point[] }) {
  const [figure, width] = useWidth();
  const [height, left, right, top, bottom] = [190, 46, 14, 12, 26];
  const most = ceiling(Math.max(...points.map((point) => point.rows)));
  const first = points[0]?.at.getTime() ?? 0;
  const range = Math.max(1, (points.at(-1)?.at.getTime() ?? 0) - first);
  const x = (point: Point) => (points.length === 1 ? (left + width - right) / 2 : left + ((point.at.getTime() - first) / range) * (width - left - right));
  const y = (rows: number) => top + (1 - rows / most) * (height - top - bottom);
  const line = points.map((point) => `${x(point).toFixed(1)},${y(point.rows).toFixed(1)}`).join(" ");
  const ends = points.length > 1 ? [points[0], points.at(-1)] : [points[0]];
  return (
    <figure class="chart" ref={figure}>
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`Orphan rows at ${plural(points.length, "audit")}; the table below has the numbers`}>
        {[0, most / 2, most].map((rows) => (
          <g key={rows} class="grid">
            <line x1={left} x2={width - right} y1={y(rows)} y2={y(rows)} />
            <text x={left - 8} y={y(rows) + 4} text-anchor="end">
              {shortCount(rows)}
            </text>
          </g>
        ))}
        {points.length > 1 && <polygon class="area" points={`${x(points[0] as Point)},${y(0)} ${line} ${x(points.at(-1) as Point)},${y(0)}`} />}
        {points.length > 1 && <polyline class="line" points={line} />}
        {points.map((point) => (
          <circle key={point.at.getTime()} cx={x(point)} cy={y(point.rows)} r="3.5">
            <title>{`${absolute(point.at)}: ${plural(point.rows, "orphan row")}`}</title>
          </circle>
        ))}
        {ends.map((point, index) => (
          <text key={index} class="when" x={x(point as Point)} y={height - 6} text-anchor={ends.length === 1 ? "middle" : index === 0 ? "start" : "end"}>
            {absolute((point as Point).at)}
          </text>
        ))}
      </svg>
    </figure>
  );
}
