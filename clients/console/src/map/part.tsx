// Pieces that the panels of tables and relationships are made of.
import type { ComponentChildren } from "preact";
import { type Finding, FindingState } from "@holdfast/core_pb";
import { plural } from "../format";
import { FindingItem } from "../views/findings";

export function Part({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

export function PartFindings({ database, findings, changed }: { database: string; findings: readonly Finding[]; changed: () => void }) {
  if (!findings.length) return null;
  const open = findings.filter((finding) => finding.state !== FindingState.IGNORED).length;
  return (
    <Part title={open === findings.length ? plural(open, "finding") : `${plural(open, "open finding")}, ${findings.length - open} ignored`}>
      <ul class="findings tight">
        {findings.map((finding) => (
          <FindingItem key={finding.id} database={database} finding={finding} changed={changed} />
        ))}
      </ul>
    </Part>
  );
}
