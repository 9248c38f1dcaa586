// How drizzle-kit is run on an exported schema: against the database at DSN, over the network driver.
export default {
  dialect: "postgresql",
  schema: "./schema.ts",
  out: "./drizzle",
  schemaFilter: (process.env.SCHEMAS ?? "public").split(","),
  dbCredentials: { url: process.env.DSN ?? "" },
};
