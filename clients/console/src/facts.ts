// What several views ask of the service, in the shape that they show.
import type { Audit, OrphanCount } from "@holdfast/audit_service_pb";
import { AuditState } from "@holdfast/audit_service_pb";
import { type Finding, FindingState, type Plan, PlanState, type Relationship, Severity, type Table } from "@holdfast/core_pb";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Point } from "./parts/chart";
import { dateOf, valueOf } from "./format";
import { audits, everything, plans } from "./service";

const PAGE = 1000;

/** Orphan rows of a database, or of one relationship, at each audit, the oldest first. */
export async function orphanHistory(database: string, relationshipId = "", most = 5000, signal?: AbortSignal): Promise<Point[]> {
  const { items, complete } = await everything(
    (pageToken) => audits.listOrphanCounts({ database, relationshipId, pageSize: PAGE, pageToken }, { signal }),
    (page) => page.counts,
    most,
  );
  const points = sums(items);
  // The oldest audit of an incomplete list lacks a part of its relationships.
  return (complete || relationshipId ? points : points.slice(0, -1)).reverse();
}

function sums(counts: readonly OrphanCount[]): Point[] {
  const found = new Map<string, { at: Date; rows: number }>();
  for (const each of counts) {
    const at = dateOf(each.time) ?? new Date(0);
    const point = found.get(each.auditId) ?? { at, rows: 0 };
    point.rows += valueOf(each.orphanRows);
    found.set(each.auditId, point);
  }
  return [...found.values()];
}

/** Findings of the latest audit; none when there was no audit yet. */
export async function findingsOf(database: string, includeIgnored: boolean, signal?: AbortSignal): Promise<Finding[]> {
  const { items } = await everything(
    (pageToken) => audits.listFindings({ database, includeIgnored, pageSize: PAGE, pageToken }, { signal }),
    (page) => page.findings,
  );
  return items;
}

export async function relationshipsOf(database: string, signal?: AbortSignal): Promise<Relationship[]> {
  const { items } = await everything(
    (pageToken) => audits.listRelationships({ database, pageSize: PAGE, pageToken }, { signal }),
    (page) => page.relationships,
  );
  return items;
}

export async function tablesOf(database: string, signal?: AbortSignal): Promise<Table[]> {
  const { items } = await everything(
    (pageToken) => audits.listTables({ database, pageSize: PAGE, pageToken }, { signal }),
    (page) => page.tables,
  );
  return items;
}

/** The newest plan that was not rejected, with its steps; undefined when there is none. */
export async function latestPlan(database: string, signal?: AbortSignal): Promise<Plan | undefined> {
  const page = await plans.listPlans({ database, pageSize: 20 }, { signal });
  const newest = page.plans.find((plan) => plan.state !== PlanState.REJECTED);
  return newest && (await plans.getPlan({ id: newest.id }, { signal })).plan;
}

export function latestSucceeded(list: readonly Audit[]): Audit | undefined {
  return list.find((audit) => audit.state === AuditState.SUCCEEDED);
}

/** How many findings stand, by severity, the worst first. */
export function bySeverity(findings: readonly Finding[]): readonly (readonly [Severity, number])[] {
  const open = findings.filter((finding) => finding.state !== FindingState.IGNORED);
  return [Severity.ERROR, Severity.WARN, Severity.INFO].map((level) => [level, open.filter((finding) => finding.severity === level).length] as const);
}

/** The answer, or undefined when there is nothing yet to answer from. */
export async function orNone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    const { code } = ConnectError.from(error);
    if (code === Code.NotFound || code === Code.FailedPrecondition) return undefined;
    throw error;
  }
}

/** `schema.table`, without the schema that goes without saying. */
export function shortName(schema: string, table: string): string {
  return schema === "public" ? table : `${schema}.${table}`;
}

/** `reports.station_id → stations.id`. */
export function relationshipName(relationship: Relationship): string {
  const side = (set: Relationship["referencing"]) => (set ? `${shortName(set.schema, set.table)}.${columns(set.columns)}` : "?");
  return `${side(relationship.referencing)} → ${side(relationship.referenced)}`;
}

function columns(names: readonly string[]): string {
  return names.length === 1 ? (names[0] ?? "") : `(${names.join(", ")})`;
}
