// The token that calls are made with. It lives as long as the tab and is sent nowhere but to our own service.
import { useEffect, useState } from "preact/hooks";

const KEY = "holdfast.token";
const changed = new EventTarget();

/** Permissions that the service refused this token, as `database/PERMISSION`: asking again would not help. */
const refused = new Map<string, string>();

export function token(): string {
  return sessionStorage.getItem(KEY) ?? "";
}

export function signIn(text: string): void {
  sessionStorage.setItem(KEY, text.trim());
  refused.clear();
  changed.dispatchEvent(new Event("changed"));
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
  refused.clear();
  changed.dispatchEvent(new Event("changed"));
}

export function rememberRefusal(database: string, permission: string, sentence: string): void {
  refused.set(`${database}/${permission}`, sentence);
  changed.dispatchEvent(new Event("changed"));
}

/** Ask whoever shows the dialog to open it. */
export function askToSignIn(): void {
  changed.dispatchEvent(new Event("asked"));
}

export function whenAsked(open: () => void): () => void {
  changed.addEventListener("asked", open);
  return () => changed.removeEventListener("asked", open);
}

/** The token, and what it was refused; the view is drawn again when either changes. */
export function useSession(): { token: string; refusal: (database: string, permission: string) => string } {
  const [, redraw] = useState(0);
  useEffect(() => {
    const update = () => redraw((count) => count + 1);
    changed.addEventListener("changed", update);
    return () => changed.removeEventListener("changed", update);
  }, []);
  return { token: token(), refusal: (database, permission) => refused.get(`${database}/${permission}`) ?? "" };
}
