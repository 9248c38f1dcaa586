// What a plan weighs: its strongest locks and the rows that it changes. Pure.
import { LockLevel, OrphanAction, type Plan, type Statement, type Step } from "@holdfast/core_pb";

/** The strongest lock of some statements, and the tables it is taken on. */
export function strongestLock(statements: readonly Statement[]): { level: LockLevel; tables: string[] } {
  const locks = statements.flatMap((statement) => statement.locks);
  const level = locks.reduce((most, lock) => Math.max(most, lock.level), LockLevel.UNSPECIFIED) as LockLevel;
  return { level, tables: [...new Set(locks.filter((lock) => lock.level === level).map((lock) => lock.table))].sort() };
}

/** Lock levels that make writers or readers wait, the strongest first, with their tables. */
export function blockingLocks(steps: readonly Step[], side: "statements" | "undo" = "statements"): (readonly [LockLevel, string[]])[] {
  const tables = new Map<LockLevel, Set<string>>();
  for (const lock of steps.flatMap((step) => step[side]).flatMap((statement) => statement.locks)) {
    if (lock.level < LockLevel.SHARE) continue;
    tables.set(lock.level, (tables.get(lock.level) ?? new Set()).add(lock.table));
  }
  return [...tables].sort(([a], [b]) => b - a).map(([level, names]) => [level, [...names].sort()] as const);
}

/** Rows that cleaning up deletes or changes, by what happens to them, what goes along included. */
export function cleanedRows(plan: Plan): (readonly [OrphanAction, bigint])[] {
  const sums = new Map<OrphanAction, bigint>();
  for (const decision of plan.decisions) {
    if (!decision.included || decision.orphanRows === 0n) continue;
    const rows = decision.orphanAction === OrphanAction.LEAVE ? decision.orphanRows : decision.closureRows;
    sums.set(decision.orphanAction, (sums.get(decision.orphanAction) ?? 0n) + rows);
  }
  return [...sums];
}
