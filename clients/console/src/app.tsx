// The frame around every view: brand, navigation, theme, who is signed in, and which view the path names.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { SignIn } from "./parts/signin";
import { ThemeToggle } from "./parts/theme";
import { A, match, usePlace } from "./router";
import { useSession, whenAsked } from "./session";
import { DatabaseFrame, type DatabaseTab } from "./views/database";
import { Databases } from "./views/databases";
import { JobPage } from "./views/job";
import { Jobs } from "./views/jobs";
import { Log } from "./views/log";
import { PlanPage } from "./views/plan";
import { Plans } from "./views/plans";
import { Empty } from "./parts/parts";

const TABS: readonly DatabaseTab[] = ["map", "findings", "plans", "jobs", "log"];
const SECTIONS = [
  ["/", "Databases"],
  ["/plans", "Plans"],
  ["/jobs", "Jobs"],
  ["/log", "Audit log"],
] as const;

function viewOf(path: string): { view: ComponentChildren; section: string; title: string } {
  if (path === "/" || path === "/databases") return { view: <Databases />, section: "/", title: "Databases" };
  const overview = match("/databases/:name", path);
  if (overview) return { view: <DatabaseFrame name={overview["name"] ?? ""} tab="overview" />, section: "/", title: overview["name"] ?? "" };
  for (const tab of TABS) {
    const found = match(`/databases/:name/${tab}`, path);
    if (found) return { view: <DatabaseFrame name={found["name"] ?? ""} tab={tab} />, section: "/", title: `${found["name"] ?? ""}: ${tab}` };
  }
  if (path === "/plans") return { view: <Plans />, section: "/plans", title: "Plans" };
  const plan = match("/plans/:id", path);
  if (plan) return { view: <PlanPage id={plan["id"] ?? ""} />, section: "/plans", title: "Plan" };
  if (path === "/jobs") return { view: <Jobs />, section: "/jobs", title: "Jobs" };
  const job = match("/jobs/:id", path);
  if (job) return { view: <JobPage id={job["id"] ?? ""} key={job["id"]} />, section: "/jobs", title: "Job" };
  if (path === "/log") return { view: <Log />, section: "/log", title: "Audit log" };
  return { view: <NotFound />, section: "", title: "Not found" };
}

function NotFound() {
  return (
    <Empty title="There is nothing at this address.">
      <p>
        <A href="/">All databases</A>
      </p>
    </Empty>
  );
}

export function App() {
  const { path } = usePlace();
  const { view, section, title } = viewOf(path);
  const main = useRef<HTMLElement>(null);
  const arrived = useRef(false);
  useEffect(() => {
    document.title = `${title} · Holdfast`;
    // A new view is read from its beginning, but the first one keeps the browser's own focus.
    if (arrived.current) main.current?.focus({ preventScroll: true });
    arrived.current = true;
  }, [path]);
  const skip = (event: MouseEvent) => {
    event.preventDefault();
    main.current?.focus();
  };
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header class="top">
        <A href="/" class="brand">
          <img src="/holdfast.svg" alt="" width="24" height="24" />
          Holdfast
        </A>
        <nav aria-label="Sections">
          {SECTIONS.map(([href, label]) => (
            <A key={href} href={href} aria-current={section === href ? "page" : undefined}>
              {label}
            </A>
          ))}
        </nav>
        <div class="top-end">
          <ThemeToggle />
          <Session />
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {view}
      </main>
    </>
  );
}

function Session() {
  const { token } = useSession();
  const [open, setOpen] = useState(false);
  useEffect(() => whenAsked(() => setOpen(true)), []);
  return (
    <>
      <button type="button" class="small" onClick={() => setOpen(true)}>
        {token ? "Signed in" : "Sign in"}
      </button>
      <SignIn open={open} close={() => setOpen(false)} />
    </>
  );
}
