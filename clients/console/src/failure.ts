// What went wrong, as the service says it: its sentence and its stable reason.
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@google/error_details_pb";

export interface Failure {
  readonly sentence: string;
  readonly reason: string;
  readonly code: Code;
}

const SILENT = "The service does not answer. It may be restarting; try again in a moment.";

export function failureOf(error: unknown): Failure {
  const known = ConnectError.from(error);
  const reason = known.findDetails(ErrorInfoSchema)[0]?.reason.replace(/^ERROR_REASON_/, "") ?? "";
  // Browsers word a lost connection each in their own way, and none says what to do.
  const lost = !reason && (known.cause instanceof TypeError || !(error instanceof ConnectError));
  return lost ? { sentence: SILENT, reason, code: Code.Unavailable } : { sentence: known.rawMessage, reason, code: known.code };
}
