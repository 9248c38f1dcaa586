// Names of tables as the map and the findings write them: `schema.table`, quoted where SQL would. Pure.

export interface TableKey {
  readonly schema: string;
  readonly name: string;
}

const PART = /"((?:[^"]|"")*)"|([^".(]+)/gy;

/** Take `schema.table` apart. */
export function parseTable(text: string): TableKey {
  const parts: string[] = [];
  PART.lastIndex = 0;
  for (let found = PART.exec(text); found; found = PART.exec(text)) {
    parts.push(found[1] !== undefined ? found[1].replaceAll('""', '"') : (found[2] ?? ""));
    if (text[PART.lastIndex] !== ".") break;
    PART.lastIndex += 1;
  }
  return { schema: parts[0] ?? "", name: parts[1] ?? "" };
}

/** One text per table, for looking things up. */
export function keyOf(schema: string | undefined, name: string | undefined): string {
  return JSON.stringify([schema ?? "", name ?? ""]);
}

export function keyOfText(text: string): string {
  const { schema, name } = parseTable(text);
  return keyOf(schema, name);
}
