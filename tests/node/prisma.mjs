// Judge a Prisma schema: node prisma.mjs SCHEMA DSN. Prints JSON: the models as Prisma understands them, the SQL that creates them, and
// the SQL that would make the database like the schema.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import pg from "pg";
import { PrismaPg } from "@prisma/adapter-pg";
import { ColumnTypeEnum, bindMigrationAwareSqlAdapterFactory } from "@prisma/driver-adapter-utils";
import * as engineGlue from "@prisma/schema-engine-wasm/schema_engine_bg";

const require = createRequire(import.meta.url);
const language = require("@prisma/prisma-schema-wasm");

const [path, dsn] = process.argv.slice(2);
const schema = readFileSync(path, "utf8");
const files = [["schema.prisma", schema]];

language.validate(JSON.stringify({ prismaSchema: files, noColor: true }));
const warnings = JSON.parse(language.lint(JSON.stringify(files)));
const formatted = JSON.parse(
  language.format(JSON.stringify(files), JSON.stringify({ textDocument: { uri: "file:/schema.prisma" }, options: { tabSize: 2, insertSpaces: true } })),
)[0][1];
const { datamodel } = JSON.parse(language.get_dmmf(JSON.stringify({ prismaSchema: files, noColor: true })));

globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => console.error(message) };
const wasm = readFileSync(new URL("node_modules/@prisma/schema-engine-wasm/schema_engine_bg.wasm", import.meta.url));
const { instance } = await WebAssembly.instantiate(wasm, { "./schema_engine_bg.js": engineGlue });
engineGlue.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

// The engine asks the catalog for columns of type "char" (OID 18), which the adapter does not know: it reads them as text (25), and is
// told afterwards that they are characters.
const characters = new Set();
const pool = new pg.Pool({ connectionString: dsn });
const query = pool.query.bind(pool);
pool.query = async (...given) => {
  const result = await query(...given);
  for (const field of (result.fields ?? []).filter((each) => each.dataTypeID === 18)) {
    characters.add(field.name);
    field.dataTypeID = 25;
  }
  return result;
};
const factory = new PrismaPg(pool);
const connect = factory.connect.bind(factory);
factory.connect = async () => {
  const connected = await connect();
  const ask = connected.queryRaw.bind(connected);
  connected.queryRaw = async (...given) => {
    const result = await ask(...given);
    const types = result.columnTypes.map((type, place) => (characters.has(result.columnNames[place]) ? ColumnTypeEnum.Character : type));
    return { ...result, columnTypes: types };
  };
  return connected;
};
const adapter = bindMigrationAwareSqlAdapterFactory(factory);
const engine = await engineGlue.SchemaEngine.new({ datamodels: files }, () => {}, adapter);
const to = { tag: "schemaDatamodel", files: [{ path: "schema.prisma", content: schema }], configDir: "." };
const filters = { externalTables: [], externalEnums: [] };

async function difference(from) {
  const result = await engine.diff({ from, to, script: true, shadowDatabaseUrl: null, exitCode: null, filters });
  return result.stdout ?? "";
}

const created = await difference({ tag: "empty" });
const missing = await difference({ tag: "schemaDatasource", files: to.files, configDir: "." });
console.log(JSON.stringify({ warnings, formatted, models: datamodel.models, enums: datamodel.enums, created, missing }));
process.exit(0);
