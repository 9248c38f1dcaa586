// The small things that every view is made of.
import { Code } from "@connectrpc/connect";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Failure } from "../failure";
import { absolute, ago } from "../format";
import type { Loaded } from "../load";
import { askToSignIn, token } from "../session";
import type { Worded } from "../words";

export function Badge({ of: [label, tone], title }: { of: Worded; title?: string }) {
  return (
    <span class={`badge ${tone}`} title={title}>
      {label}
    </span>
  );
}

/** A time as people say it; the exact one on hover. */
export function Time({ at }: { at: Date | undefined }) {
  const [, redraw] = useState(0);
  useEffect(() => {
    const timer = window.setInterval(() => redraw((turn) => turn + 1), 30_000);
    return () => window.clearInterval(timer);
  }, []);
  if (!at) return <span class="faint">never</span>;
  return (
    <time dateTime={at.toISOString()} title={absolute(at)}>
      {ago(at)}
    </time>
  );
}

export function ErrorBox({ failure, retry }: { failure: Failure; retry?: () => void }) {
  return (
    <div class="notice bad" role="alert">
      <p>{failure.sentence}</p>
      <p class="row">
        {failure.reason && <code class="faint">{failure.reason}</code>}
        {retry && (
          <button type="button" class="small" onClick={retry}>
            Try again
          </button>
        )}
      </p>
    </div>
  );
}

/** What is loading, what failed, or what came. */
export function Await<T>({ of, lines = 3, children }: { of: Loaded<T>; lines?: number; children: (data: T) => ComponentChildren }) {
  if (of.data !== undefined) {
    return (
      <>
        {of.failure && <ErrorBox failure={of.failure} retry={of.reload} />}
        {children(of.data)}
      </>
    );
  }
  if (of.failure) return of.failure.code === Code.Unauthenticated ? <Locked failure={of.failure} /> : <ErrorBox failure={of.failure} retry={of.reload} />;
  return <Skeleton lines={lines} />;
}

/** Nothing is told to whoever is not recognised. */
function Locked({ failure }: { failure: Failure }) {
  return (
    <Empty title="Sign in to see this.">
      <p>{token() ? failure.sentence : "This service tells only those whom it knows."}</p>
      <button type="button" class="primary" onClick={askToSignIn}>
        Sign in
      </button>
    </Empty>
  );
}

export function Skeleton({ lines }: { lines: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Card({ title, aside, children, plain }: { title?: string; aside?: ComponentChildren; children: ComponentChildren; plain?: boolean }) {
  const id = useId();
  return (
    <section class={plain ? "card plain" : "card"} aria-labelledby={title ? id : undefined}>
      {title && (
        <header>
          <h2 id={id}>{title}</h2>
          {aside}
        </header>
      )}
      {children}
    </section>
  );
}

/** A number and what it counts. */
export function Figure({ label, value, tone, hint }: { label: string; value: ComponentChildren; tone?: string; hint?: ComponentChildren }) {
  return (
    <div class="figure">
      <dt>{label}</dt>
      <dd class={tone}>{value}</dd>
      {hint && <dd class="hint">{hint}</dd>}
    </div>
  );
}

/** Text to take along: a command, an id. */
export function Copyable({ text, label = "Copy" }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(text);
    setCopied(true);
    window.setTimeout(() => setCopied(false), 1500);
  };
  return (
    <div class="command">
      <code>{text}</code>
      <button type="button" class="small quiet" aria-label={`${label}: ${text}`} onClick={() => void copy()}>
        {copied ? "Copied" : label}
      </button>
    </div>
  );
}

/** A wide table scrolls by itself, never the page. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}

export function Bar({ value, of, label }: { value: number; of: number; label: string }) {
  const share = of > 0 ? Math.min(1, value / of) : 0;
  return (
    <div class={of > 0 ? "bar" : "bar unknown"} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={of > 0 ? Math.round(share * 100) : undefined}>
      <span style={{ width: of > 0 ? `${share * 100}%` : "30%" }} />
    </div>
  );
}

/** A question before something that cannot be taken lightly. Escape and a click outside say no. */
export function Dialog({ title, open, close, children }: { title: string; open: boolean; close: () => void; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    if (!dialog) return;
    if (open && !dialog.open) dialog.showModal();
    if (!open && dialog.open) dialog.close();
  }, [open]);
  return (
    <dialog ref={element} aria-labelledby={id} onClose={close} onClick={(event) => event.target === element.current && close()}>
      {open && (
        <div class="dialog">
          <h2 id={id}>{title}</h2>
          {children}
        </div>
      )}
    </dialog>
  );
}
