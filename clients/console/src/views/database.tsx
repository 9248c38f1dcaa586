// One database: who it is, and its tabs.
import type { Database } from "@holdfast/database_service_pb";
import { useLoad } from "../load";
import { Action } from "../parts/actions";
import { Await, Badge } from "../parts/parts";
import { A, navigate, pathOf } from "../router";
import { audits, databases } from "../service";
import { databaseState } from "../words";
import { Findings } from "./findings";
import { JobList } from "./jobs";
import { LogList } from "./log";
import { MapView } from "../map/view";
import { Overview } from "./overview";
import { PlanList } from "./plans";
import { ReportButtons } from "./report";

export type DatabaseTab = "overview" | "map" | "findings" | "plans" | "jobs" | "log";

const LABELS: readonly (readonly [DatabaseTab, string])[] = [
  ["overview", "Overview"],
  ["map", "Map"],
  ["findings", "Findings"],
  ["plans", "Plans"],
  ["jobs", "Jobs"],
  ["log", "Audit log"],
];

export function DatabaseFrame({ name, tab }: { name: string; tab: DatabaseTab }) {
  const loaded = useLoad(`database/${name}`, async (signal) => (await databases.getDatabase({ name }, { signal })).database);
  return (
    <>
      <Await of={loaded} lines={2}>
        {(database) => database && <Head database={database} tab={tab} />}
      </Await>
      {loaded.data && <Content database={loaded.data} tab={tab} />}
    </>
  );
}

function Head({ database, tab }: { database: Database; tab: DatabaseTab }) {
  const { name } = database;
  return (
    <div class="database-head">
      <div class="page-head">
        <div>
          <p class="crumbs">
            <A href="/">Databases</A>
          </p>
          <h1>
            {name} <Badge of={databaseState(database.state)} />
          </h1>
          <p class="lead">
            {database.databaseName} on {database.host}:{database.port} as {database.role}
            {database.serverVersion && ` · PostgreSQL ${database.serverVersion}`}
          </p>
        </div>
        <div class="buttons">
          <ReportButtons database={name} />
          <Action database={name} permission="AUDIT" label="Audit now" kind="primary" run={() => auditNow(name)} />
        </div>
      </div>
      <nav class="tabs" aria-label={`Views of ${name}`}>
        {LABELS.map(([key, label]) => (
          <A key={key} href={pathOf(key === "overview" ? ["databases", name] : ["databases", name, key])} aria-current={tab === key ? "page" : undefined}>
            {label}
          </A>
        ))}
      </nav>
    </div>
  );
}

async function auditNow(database: string): Promise<void> {
  const started = await audits.startAudit({ database, requestId: crypto.randomUUID() });
  if (started.job) navigate(pathOf(["jobs", started.job.id]));
}

function Content({ database, tab }: { database: Database; tab: DatabaseTab }) {
  const { name } = database;
  switch (tab) {
    case "overview":
      return <Overview database={database} />;
    case "map":
      return <MapView database={name} />;
    case "findings":
      return <Findings database={name} />;
    case "plans":
      return <PlanList database={name} />;
    case "jobs":
      return <JobList database={name} />;
    case "log":
      return <LogList database={name} />;
  }
}
