// Audits a database, follows the job, prints the findings: node audit.js NAME
// Exit code 0 without findings, 1 with some, 2 when the audit did not succeed.
import { randomUUID } from "node:crypto";

import { Holdfast, reasonOf } from "@holdfast/client";
import { JobState, Severity } from "@holdfast/client/gen/holdfast/v1/core_pb";

const [database] = process.argv.slice(2);
const holdfast = new Holdfast(process.env.HOLDFAST_SERVER ?? "127.0.0.1:7443", { principal: "example" });

try {
  // The request id makes it safe to send again: there is one audit, however often it is asked for.
  const { audit, job } = await holdfast.audits.startAudit({ database, requestId: randomUUID() });
  for await (const { payload } of holdfast.follow(job.id)) {
    if (payload.case === "event") console.log(payload.value.message);
    if (payload.case === "final" && payload.value.state !== JobState.SUCCEEDED) {
      console.error(payload.value.errorMessage);
      process.exitCode = 2;
    }
  }
  let pageToken = "";
  do {
    const page = await holdfast.audits.listFindings({ auditId: audit.id, pageToken });
    for (const finding of page.findings) {
      console.log(`${Severity[finding.severity]}: ${finding.message}\n  ${finding.cure}`);
      process.exitCode ||= 1;
    }
    pageToken = page.nextPageToken;
  } while (pageToken);
} catch (error) {
  console.error(`${reasonOf(error) ?? "FAILED"}: ${error.rawMessage ?? error.message}`);
  process.exitCode = 2;
} finally {
  holdfast.close();
}
