// The words for the service's closed lists, and how much each of them matters.
import { AuditState } from "@holdfast/audit_service_pb";
import {
  EventKind,
  FindingKind,
  HazardKind,
  JobKind,
  JobState,
  LockLevel,
  OnDelete,
  OrphanAction,
  OrphanCause,
  PlanState,
  RelationshipState,
  Risk,
  Severity,
} from "@holdfast/core_pb";
import { CheckState, DatabaseState } from "@holdfast/database_service_pb";

export type Tone = "good" | "warn" | "bad" | "busy" | "quiet";
export type Worded = readonly [label: string, tone: Tone];

/** `SHARE_ROW_EXCLUSIVE` → `share row exclusive`. */
function spoken(name: string | undefined): string {
  return (name ?? "unknown").toLowerCase().replaceAll("_", " ");
}

function worded<E extends number>(table: Partial<Record<E, Worded>>, value: E): Worded {
  return table[value] ?? ["unknown", "quiet"];
}

export const databaseState = (state: DatabaseState): Worded =>
  worded({ [DatabaseState.REACHABLE]: ["Reachable", "good"], [DatabaseState.UNREACHABLE]: ["Unreachable", "bad"] }, state);

export const auditState = (state: AuditState): Worded =>
  worded(
    {
      [AuditState.QUEUED]: ["Queued", "busy"],
      [AuditState.RUNNING]: ["Running", "busy"],
      [AuditState.SUCCEEDED]: ["Succeeded", "good"],
      [AuditState.FAILED]: ["Failed", "bad"],
      [AuditState.CANCELLED]: ["Cancelled", "quiet"],
    },
    state,
  );

export const jobState = (state: JobState): Worded =>
  worded(
    {
      [JobState.QUEUED]: ["Queued", "busy"],
      [JobState.RUNNING]: ["Running", "busy"],
      [JobState.SUCCEEDED]: ["Succeeded", "good"],
      [JobState.FAILED]: ["Failed", "bad"],
      [JobState.CANCELLED]: ["Cancelled", "quiet"],
    },
    state,
  );

export const planState = (state: PlanState): Worded =>
  worded(
    {
      [PlanState.PROPOSED]: ["Proposed", "warn"],
      [PlanState.APPROVED]: ["Approved", "busy"],
      [PlanState.REJECTED]: ["Rejected", "quiet"],
      [PlanState.APPLIED]: ["Applied", "good"],
      [PlanState.ROLLED_BACK]: ["Rolled back", "quiet"],
    },
    state,
  );

export const severity = (value: Severity): Worded =>
  worded({ [Severity.ERROR]: ["Error", "bad"], [Severity.WARN]: ["Warning", "warn"], [Severity.INFO]: ["Info", "quiet"] }, value);

export const risk = (value: Risk): Worded =>
  worded({ [Risk.HIGH]: ["High risk", "bad"], [Risk.MEDIUM]: ["Medium risk", "warn"], [Risk.LOW]: ["Low risk", "good"] }, value);

export const relationshipState = (value: RelationshipState): Worded =>
  worded(
    {
      [RelationshipState.UNDECLARED]: ["Undeclared", "warn"],
      [RelationshipState.NOT_VALIDATED]: ["Not validated", "warn"],
      [RelationshipState.VALIDATED]: ["Validated", "good"],
      [RelationshipState.NOT_ENFORCED]: ["Not enforced", "bad"],
    },
    value,
  );

export const checkState = (value: CheckState): Worded =>
  worded(
    {
      [CheckState.PASSED]: ["Passed", "good"],
      [CheckState.WARNING]: ["Look first", "warn"],
      [CheckState.BLOCKS_APPLICATION]: ["Blocks application", "bad"],
      [CheckState.BLOCKS_AUDIT]: ["Blocks audit", "bad"],
    },
    value,
  );

export const jobKind = (value: JobKind): string => capital(spoken(JobKind[value]));
export const findingKind = (value: FindingKind): string => capital(spoken(FindingKind[value]));
export const findingSlug = (value: FindingKind): string => (FindingKind[value] ?? "").toLowerCase();
export const hazardKind = (value: HazardKind): string => capital(spoken(HazardKind[value]));
export const eventKind = (value: EventKind): string => spoken(EventKind[value]);
export const onDelete = (value: OnDelete): string => (value === OnDelete.UNSPECIFIED ? "not decided" : (OnDelete[value] ?? "").replaceAll("_", " "));
export const lockLevel = (value: LockLevel): string => (value === LockLevel.UNSPECIFIED ? "none" : (LockLevel[value] ?? "").replaceAll("_", " "));

const CAUSES: Record<OrphanCause, string> = {
  [OrphanCause.UNSPECIFIED]: "unknown",
  [OrphanCause.DELETED]: "the referenced row was deleted",
  [OrphanCause.NEVER_EXISTED]: "the referenced row never existed",
  [OrphanCause.SENTINEL]: "a value that means “none”",
  [OrphanCause.WRONG_TYPE]: "an id of another kind",
  [OrphanCause.UNKNOWN]: "the values do not tell",
};
export const orphanCause = (value: OrphanCause): string => CAUSES[value] ?? "unknown";

const ACTIONS: Record<OrphanAction, string> = {
  [OrphanAction.UNSPECIFIED]: "decided by ON DELETE",
  [OrphanAction.DELETE]: "back up and delete",
  [OrphanAction.SET_NULL]: "back up and set NULL",
  [OrphanAction.REPOINT]: "back up and repoint",
  [OrphanAction.LEAVE]: "leave",
};
export const orphanAction = (value: OrphanAction): string => ACTIONS[value] ?? "unknown";

/** How much a lock disturbs others. */
export function lockTone(level: LockLevel): Tone {
  if (level >= LockLevel.EXCLUSIVE) return "bad";
  if (level >= LockLevel.SHARE) return "warn";
  return "quiet";
}

export const jobEnded = (state: JobState): boolean => state >= JobState.SUCCEEDED;

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
