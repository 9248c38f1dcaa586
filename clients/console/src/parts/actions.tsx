// Buttons that change something: disabled with the reason while nobody is signed in, or once the service said no.
import { Code } from "@connectrpc/connect";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { type Failure, failureOf } from "../failure";
import { rememberRefusal, useSession } from "../session";
import { Dialog, ErrorBox } from "./parts";

export type Permission = "AUDIT" | "PLAN" | "APPROVE" | "OPERATE";

interface ActionProps {
  readonly database: string;
  readonly permission: Permission;
  readonly label: string;
  readonly run: () => Promise<void>;
  readonly kind?: "primary" | "danger" | "plain";
  /** Asked before, when there is something to weigh. */
  readonly confirm?: { readonly title: string; readonly body: ComponentChildren; readonly yes: string };
}

/** Why the button is off; empty when it is on. */
export function useObstacle(database: string, permission: Permission): string {
  const { token, refusal } = useSession();
  return token ? refusal(database, permission) : "Sign in first: without a token the console only reads.";
}

/** Call the service, and show what it says when it refuses. */
export function useAction(database: string, permission: Permission, run: () => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const act = async (): Promise<boolean> => {
    setBusy(true);
    setFailure(undefined);
    try {
      await run();
      return true;
    } catch (error) {
      const known = failureOf(error);
      setFailure(known);
      if (known.code === Code.PermissionDenied) rememberRefusal(database, permission, known.sentence);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, failure, act };
}

export function Action({ database, permission, label, run, kind = "plain", confirm }: ActionProps) {
  const obstacle = useObstacle(database, permission);
  const { busy, failure, act } = useAction(database, permission, run);
  const [asking, setAsking] = useState(false);
  const start = () => (confirm ? setAsking(true) : void act());
  const yes = async () => {
    if (await act()) setAsking(false);
  };
  return (
    <span class="action">
      <button type="button" class={kind} disabled={Boolean(obstacle) || busy} title={obstacle || undefined} aria-busy={busy} onClick={start}>
        {label}
      </button>
      {failure && !asking && <ErrorBox failure={failure} />}
      {confirm && (
        <Dialog title={confirm.title} open={asking} close={() => setAsking(false)}>
          {confirm.body}
          {failure && <ErrorBox failure={failure} />}
          <div class="buttons">
            <button type="button" onClick={() => setAsking(false)}>
              Not now
            </button>
            <button type="button" class={kind} disabled={busy} aria-busy={busy} onClick={() => void yes()}>
              {confirm.yes}
            </button>
          </div>
        </Dialog>
      )}
    </span>
  );
}

/** Says once, above the buttons, why they are off. */
export function ReadOnlyHint({ database, permission }: { database: string; permission: Permission }) {
  const obstacle = useObstacle(database, permission);
  return obstacle ? <p class="hint">{obstacle}</p> : null;
}
