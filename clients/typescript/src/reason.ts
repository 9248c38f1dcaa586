// Why a call failed, for programs: the names are stable, the messages are not.
import { Code, ConnectError } from "@connectrpc/connect";

import { ErrorInfoSchema, type ErrorInfo } from "./gen/google/rpc/error_details_pb.js";
import { ErrorReason } from "./gen/holdfast/v1/error_reason_pb.js";

export type Reason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

/** The ErrorInfo of an error; undefined when Holdfast itself did not answer. */
export function errorInfo(error: unknown): ErrorInfo | undefined {
  return ConnectError.from(error).findDetails(ErrorInfoSchema).find((info) => info.domain === "holdfast");
}

/** The reason of an error; undefined when Holdfast itself did not answer, or knows reasons that this client does not. */
export function reasonOf(error: unknown): Reason | undefined {
  const reason = errorInfo(error)?.reason;
  return reason !== undefined && reason in ErrorReason && reason !== "UNSPECIFIED" ? (reason as Reason) : undefined;
}

/** True when a stream ended because the connection did: going on with the resume token is right. */
export function isCut(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  if (code === Code.Unavailable) return true;
  return [Code.Internal, Code.Unknown, Code.Canceled, Code.Aborted].includes(code) && errorInfo(error) === undefined;
}
