// What the map's panels tell of: one audit, and the latest plan.
import type { Finding, Plan, Relationship, Table } from "@holdfast/core_pb";
import { findingsOf, latestPlan, relationshipsOf, tablesOf } from "../facts";
import { keyOf } from "./names";

export interface MapFacts {
  readonly relationships: ReadonlyMap<string, Relationship>;
  readonly tables: ReadonlyMap<string, Table>;
  readonly findings: readonly Finding[];
  readonly plan: Plan | undefined;
}

/** Read all that is told about what is chosen on the map. */
export async function readFacts(database: string, signal: AbortSignal): Promise<MapFacts> {
  const [relationships, tables, findings, plan] = await Promise.all([
    relationshipsOf(database, signal),
    tablesOf(database, signal),
    findingsOf(database, true, signal),
    latestPlan(database, signal),
  ]);
  return {
    relationships: new Map(relationships.map((each) => [each.id, each])),
    tables: new Map(tables.map((each) => [keyOf(each.schema, each.name), each])),
    findings,
    plan,
  };
}
