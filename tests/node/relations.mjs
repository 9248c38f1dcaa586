// Resolve the relations of a Drizzle schema as its query API does: node relations.mjs FOLDER, where schema.ts is. Prints JSON: per relation
// the table, its field, the other table, and the columns of both. An ambiguous relation is an error.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createTableRelationsHelpers, extractTablesRelationalConfig, normalizeRelation } from "drizzle-orm";
import { build } from "esbuild";

const [folder] = process.argv.slice(2);
await build({ entryPoints: [join(folder, "schema.ts")], outfile: join(folder, "schema.mjs"), format: "esm", logLevel: "error" });
const schema = await import(pathToFileURL(join(folder, "schema.mjs")));
const { tables, tableNamesMap } = extractTablesRelationalConfig(schema, createTableRelationsHelpers);

const resolved = Object.values(tables).flatMap((table) =>
  Object.entries(table.relations).map(([field, relation]) => {
    const { fields, references } = normalizeRelation(tables, tableNamesMap, relation);
    return {
      table: table.dbName,
      field,
      columns: fields.map((column) => column.name),
      references: references.map((column) => column.name),
    };
  }),
);
console.log(JSON.stringify(resolved));
