// Fetching what a view shows, and again when asked; what is shown stays until the new is there.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Failure, failureOf } from "./failure";
import { useSession } from "./session";

export interface Loaded<T> {
  readonly data: T | undefined;
  readonly failure: Failure | undefined;
  readonly loading: boolean;
  readonly reload: () => void;
}

/** Fetch once per key and token, and every `every` milliseconds while that is set and the page is visible. */
export function useLoad<T>(key: string, fetch: (signal: AbortSignal) => Promise<T>, every?: (data: T) => number | undefined): Loaded<T> {
  const [state, setState] = useState<{ key: string; data?: T; failure?: Failure; loading: boolean }>({ key, loading: true });
  const [turn, setTurn] = useState(0);
  const { token } = useSession();
  const latest = useRef({ fetch, every });
  latest.current = { fetch, every };

  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const load = async () => {
      try {
        const data = await latest.current.fetch(abort.signal);
        if (abort.signal.aborted) return;
        setState({ key, data, loading: false });
        const again = latest.current.every?.(data);
        if (again) timer = window.setTimeout(() => void whenVisible(), again);
      } catch (error) {
        if (!abort.signal.aborted) setState((before) => ({ key, ...(before.key === key ? { data: before.data } : {}), failure: failureOf(error), loading: false }));
      }
    };
    const whenVisible = () => {
      if (document.visibilityState === "visible") return load();
      document.addEventListener("visibilitychange", () => void whenVisible(), { once: true, signal: abort.signal });
      return undefined;
    };
    setState((before) => (before.key === key ? { ...before, loading: true } : { key, loading: true }));
    void load();
    return () => {
      abort.abort();
      window.clearTimeout(timer);
    };
  }, [key, turn, token]);

  const reload = useCallback(() => setTurn((count) => count + 1), []);
  const current = state.key === key ? state : { loading: true };
  return { data: (current as { data?: T }).data, failure: (current as { failure?: Failure }).failure, loading: current.loading, reload };
}
