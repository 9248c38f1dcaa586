// Signing in is holding a token: it is tried once, kept for this tab, and sent with every call.
import { Code } from "@connectrpc/connect";
import { useState } from "preact/hooks";
import { type Failure, failureOf } from "../failure";
import { useLoad } from "../load";
import { databases } from "../service";
import { signIn, signOut, useSession } from "../session";
import { Await, Dialog, ErrorBox } from "./parts";

export function SignIn({ open, close }: { open: boolean; close: () => void }) {
  const { token } = useSession();
  return (
    <Dialog title={token ? "You are signed in" : "Sign in"} open={open} close={close}>
      {token ? <Leave close={close} /> : <Entrance close={close} />}
    </Dialog>
  );
}

/** Without an access file the service knows nobody, and there is nothing to sign in to. */
function Entrance({ close }: { close: () => void }) {
  const open = useLoad("open", async (signal) => {
    try {
      await databases.listDatabases({ pageSize: 1 }, { signal });
      return true;
    } catch (error) {
      if (failureOf(error).code === Code.Unauthenticated) return false;
      throw error;
    }
  });
  return (
    <Await of={open} lines={2}>
      {(isOpen) =>
        isOpen ? (
          <>
            <p>This service has no access file, so it cannot tell who you are: the console only reads.</p>
            <p class="hint">
              Start it with <code>holdfastd serve --access FILE</code> to sign in here, or use the command line.
            </p>
            <div class="buttons">
              <button type="button" onClick={close}>
                Close
              </button>
            </div>
          </>
        ) : (
          <Enter close={close} />
        )
      }
    </Await>
  );
}

function Leave({ close }: { close: () => void }) {
  const leave = () => {
    signOut();
    close();
  };
  return (
    <>
      <p>This tab holds a token. It is forgotten when you sign out or close the tab.</p>
      <div class="buttons">
        <button type="button" onClick={close}>
          Stay
        </button>
        <button type="button" class="primary" onClick={leave}>
          Sign out
        </button>
      </div>
    </>
  );
}

function Enter({ close }: { close: () => void }) {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const enter = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setFailure(undefined);
    try {
      await databases.listDatabases({ pageSize: 1 }, { headers: { Authorization: `Bearer ${text.trim()}` } });
      signIn(text);
      close();
    } catch (error) {
      setFailure(failureOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void enter(event)}>
      <label class="field">
        Token
        <input type="password" autocomplete="off" spellcheck={false} required value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <p class="hint">
        The one that <code>HOLDFAST_TOKEN</code> holds for the command line. It stays in this tab.
      </p>
      {failure && <ErrorBox failure={failure} />}
      <div class="buttons">
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={busy || !text.trim()} aria-busy={busy}>
          Sign in
        </button>
      </div>
    </form>
  );
}
