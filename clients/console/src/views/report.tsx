// The report of the latest audit: one file that needs nothing else, opened in a tab of its own or kept.
import { ReportFormat } from "@holdfast/report_service_pb";
import { useState } from "preact/hooks";
import { type Failure, failureOf } from "../failure";
import { ErrorBox } from "../parts/parts";
import { reports } from "../service";

/** Offer a text as a file. */
export function download(text: string, name: string, type: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  window.setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

async function render(database: string, format: ReportFormat): Promise<string> {
  const pieces: string[] = [];
  for await (const piece of reports.renderReport({ database, format })) pieces.push(piece.text);
  return pieces.join("");
}

export function ReportButtons({ database }: { database: string }) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const make = async (format: ReportFormat, extension: string, type: string) => {
    setBusy(true);
    setFailure(undefined);
    try {
      download(await render(database, format), `holdfast-report-${database}.${extension}`, type);
    } catch (error) {
      setFailure(failureOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <span class="action">
      <span class="joined" role="group" aria-label="Download the report">
        <button type="button" disabled={busy} aria-busy={busy} onClick={() => void make(ReportFormat.HTML, "html", "text/html")}>
          Report
        </button>
        <button type="button" disabled={busy} title="The same as Markdown" aria-label="Report as .md" onClick={() => void make(ReportFormat.MARKDOWN, "md", "text/markdown")}>
          .md
        </button>
      </span>
      {failure && <ErrorBox failure={failure} />}
    </span>
  );
}
