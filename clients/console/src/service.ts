// The service's own calls, by the Connect protocol, on the host that served this page.
import { type Interceptor, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AuditLogService } from "@holdfast/audit_log_service_pb";
import { AuditService } from "@holdfast/audit_service_pb";
import { DatabaseService } from "@holdfast/database_service_pb";
import { JobService } from "@holdfast/job_service_pb";
import { MigrationService } from "@holdfast/migration_service_pb";
import { PlanService } from "@holdfast/plan_service_pb";
import { ReportService } from "@holdfast/report_service_pb";
import { ScheduleService } from "@holdfast/schedule_service_pb";
import { token } from "./session";

const authorize: Interceptor = (next) => (request) => {
  const held = token();
  if (held) request.header.set("Authorization", `Bearer ${held}`);
  return next(request);
};

const transport = createConnectTransport({ baseUrl: "/", useBinaryFormat: true, interceptors: [authorize] });

export const audits = createClient(AuditService, transport);
export const databases = createClient(DatabaseService, transport);
export const jobs = createClient(JobService, transport);
export const log = createClient(AuditLogService, transport);
export const migrations = createClient(MigrationService, transport);
export const plans = createClient(PlanService, transport);
export const reports = createClient(ReportService, transport);
export const schedules = createClient(ScheduleService, transport);

/** Follow the pages of a list to its end, or to `most` items. */
export async function everything<P extends { nextPageToken: string }, T>(
  page: (pageToken: string) => Promise<P>,
  items: (page: P) => readonly T[],
  most = 20_000,
): Promise<{ items: T[]; complete: boolean }> {
  const found: T[] = [];
  let pageToken = "";
  do {
    const next = await page(pageToken);
    found.push(...items(next));
    pageToken = next.nextPageToken;
  } while (pageToken && found.length < most);
  return { items: found, complete: !pageToken };
}
