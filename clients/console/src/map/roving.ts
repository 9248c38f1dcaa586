// One stop for the Tab key on a map of any size: arrow keys go from table to table, Enter opens.

/** The table that lies nearest in a direction; undefined when none does. */
export function nearest(from: Element, tables: readonly Element[], key: string): Element | undefined {
  const [x, y] = middle(from);
  let best: Element | undefined;
  let least = Infinity;
  for (const table of tables) {
    if (table === from) continue;
    const [otherX, otherY] = middle(table);
    const [along, aside] = split(otherX - x, otherY - y, key);
    // What lies straight ahead is nearer than what lies aside.
    const distance = along + 2 * Math.abs(aside);
    if (along > 1 && distance < least) [best, least] = [table, distance];
  }
  return best;
}

function middle(element: Element): readonly [number, number] {
  const box = element.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}

function split(x: number, y: number, key: string): readonly [along: number, aside: number] {
  switch (key) {
    case "ArrowLeft":
      return [-x, y];
    case "ArrowRight":
      return [x, y];
    case "ArrowUp":
      return [-y, x];
    default:
      return [y, x];
  }
}
