// Holdfast for Node, over gRPC: a connection, a client for each service, jobs that are followed through broken connections.
import { isIP } from "node:net";

import { createClient, type Client, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

import { follow, type FollowOptions } from "./following.js";
import { AuditLogService } from "./gen/holdfast/v1/audit_log_service_pb.js";
import { AuditService } from "./gen/holdfast/v1/audit_service_pb.js";
import { BackupService } from "./gen/holdfast/v1/backup_service_pb.js";
import { DatabaseService } from "./gen/holdfast/v1/database_service_pb.js";
import { ExportService } from "./gen/holdfast/v1/export_service_pb.js";
import { GateService } from "./gen/holdfast/v1/gate_service_pb.js";
import { ImpactService } from "./gen/holdfast/v1/impact_service_pb.js";
import { JobService, type WatchJobResponse } from "./gen/holdfast/v1/job_service_pb.js";
import { MigrationService } from "./gen/holdfast/v1/migration_service_pb.js";
import { PlanService } from "./gen/holdfast/v1/plan_service_pb.js";
import { ReportService } from "./gen/holdfast/v1/report_service_pb.js";
import { ScheduleService } from "./gen/holdfast/v1/schedule_service_pb.js";

export { errorInfo, isCut, reasonOf, type Reason } from "./reason.js";
export { follow, type FollowOptions } from "./following.js";

export interface Tls {
  /** Who signed the service's certificate (PEM); without it, the authorities that Node brings along. */
  ca?: string | Buffer;
  /** What the client identifies itself with (PEM); both or none. */
  certificate?: string | Buffer;
  key?: string | Buffer;
}

export interface Options {
  /** TLS; true for Node's own authorities. */
  tls?: Tls | true;
  /** A bearer token, or what returns the present one: it is asked before every call. */
  token?: string | (() => string | Promise<string>);
  /** Who calls, for services without an access file; it is noted in the audit log. */
  principal?: string;
  /** Send the token without TLS to another machine, where the network is trusted. */
  allowPlaintextToken?: boolean;
  /** What calls may take when they say nothing else; 5 minutes. A job is followed for as long as it takes. */
  timeoutMs?: number;
}

/** A connection to Holdfast. */
export class Holdfast {
  readonly databases: Client<typeof DatabaseService>;
  readonly audits: Client<typeof AuditService>;
  readonly reports: Client<typeof ReportService>;
  readonly exports: Client<typeof ExportService>;
  readonly impacts: Client<typeof ImpactService>;
  readonly gates: Client<typeof GateService>;
  readonly plans: Client<typeof PlanService>;
  readonly migrations: Client<typeof MigrationService>;
  readonly backups: Client<typeof BackupService>;
  readonly jobs: Client<typeof JobService>;
  readonly schedules: Client<typeof ScheduleService>;
  readonly auditLog: Client<typeof AuditLogService>;
  readonly #session: Http2SessionManager;

  /** Takes `host:port`. Connects at the first call. */
  constructor(address: string, options: Options = {}) {
    const { tls, token, timeoutMs = 300_000 } = options;
    const url = new URL(`${tls ? "https" : "http"}://${address}`);
    if (token !== undefined && !tls && !isLoopback(url.hostname) && !options.allowPlaintextToken) {
      throw new TypeError("The token would travel in plaintext, where others can read it; use tls, or allowPlaintextToken where the network is trusted.");
    }
    // Dead connections are noticed within a minute, also while a stream is quiet.
    this.#session = new Http2SessionManager(url, { pingIntervalMs: 30_000, pingTimeoutMs: 20_000 }, secrets(tls));
    const transport = createGrpcTransport({
      baseUrl: url.origin,
      sessionManager: this.#session,
      interceptors: [introduce(options)],
      defaultTimeoutMs: timeoutMs,
    });
    this.databases = createClient(DatabaseService, transport);
    this.audits = createClient(AuditService, transport);
    this.reports = createClient(ReportService, transport);
    this.exports = createClient(ExportService, transport);
    this.impacts = createClient(ImpactService, transport);
    this.gates = createClient(GateService, transport);
    this.plans = createClient(PlanService, transport);
    this.migrations = createClient(MigrationService, transport);
    this.backups = createClient(BackupService, transport);
    this.jobs = createClient(JobService, transport);
    this.schedules = createClient(ScheduleService, transport);
    this.auditLog = createClient(AuditLogService, transport);
  }

  /** Follows a job to its end. */
  follow(id: string, options?: FollowOptions): AsyncGenerator<WatchJobResponse, void, undefined> {
    return follow(this.jobs, id, options);
  }

  /** Closes the connection; Node goes on running until this is done. */
  close(): void {
    this.#session.abort();
  }
}

function introduce({ token, principal }: Options): Interceptor {
  return (next) => async (request) => {
    const bearer = typeof token === "function" ? await token() : token;
    if (bearer) request.header.set("authorization", `Bearer ${bearer}`);
    if (principal) request.header.set("x-holdfast-principal", encodeURIComponent(principal));
    return next(request);
  };
}

function secrets(tls: Tls | true | undefined): object {
  if (tls === undefined || tls === true) return {};
  const { ca, certificate, key } = tls;
  return { ...(ca && { ca }), ...(certificate && { cert: certificate }), ...(key && { key }) };
}

function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  return bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}
