// Which view is shown: the path of the page, by the browser's own history.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

export interface Place {
  readonly path: string;
  readonly query: URLSearchParams;
}

const moved = new EventTarget();

function here(): Place {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

/** Go to another view; `replace` keeps the present one out of the history. */
export function navigate(to: string, { replace = false }: { replace?: boolean } = {}): void {
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  moved.dispatchEvent(new Event("moved"));
}

/** Where we are; the view is drawn again when that changes. */
export function usePlace(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const update = () => setPlace(here());
    window.addEventListener("popstate", update);
    moved.addEventListener("moved", update);
    return () => {
      window.removeEventListener("popstate", update);
      moved.removeEventListener("moved", update);
    };
  }, []);
  return place;
}

/** The parts of a path that a pattern such as `/plans/:id` names; null when it does not fit. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split("/").filter(Boolean);
  const given = path.split("/").filter(Boolean);
  if (wanted.length !== given.length) return null;
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? "";
    if (part.startsWith(":")) found[part.slice(1)] = unescaped(value);
    else if (part !== value) return null;
  }
  return found;
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A path of escaped parts, and a query of what is not empty. */
export function pathOf(parts: readonly string[], query: Record<string, string | undefined> = {}): string {
  const filled = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const search = new URLSearchParams(filled).toString();
  return `/${parts.map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

interface AnchorProps {
  readonly href: string;
  readonly class?: string;
  readonly children?: ComponentChildren;
  readonly "aria-current"?: "page" | undefined;
  readonly "aria-label"?: string;
}

/** A link inside the console. */
export function A({ href, children, ...rest }: AnchorProps) {
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(href);
    window.scrollTo(0, 0);
  };
  return (
    <a href={href} onClick={follow} {...rest}>
      {children}
    </a>
  );
}
