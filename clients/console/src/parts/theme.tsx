// Light or dark: as the system says, until somebody chooses.
import { useEffect, useState } from "preact/hooks";

type Theme = "light" | "dark";
const KEY = "holdfast.theme";

function chosen(): Theme | undefined {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : undefined;
}

function systemTheme(): Theme {
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export function ThemeToggle() {
  const [theme, setTheme] = useState<Theme>(chosen() ?? systemTheme());
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
  }, [theme]);
  useEffect(() => {
    const media = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => chosen() ?? setTheme(systemTheme());
    media.addEventListener("change", follow);
    return () => media.removeEventListener("change", follow);
  }, []);
  const other: Theme = theme === "dark" ? "light" : "dark";
  const choose = () => {
    localStorage.setItem(KEY, other);
    setTheme(other);
  };
  return (
    <button type="button" class="small quiet icon" aria-label={`Use ${other} colours`} title={`Use ${other} colours`} onClick={choose}>
      <svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">
        {theme === "dark" ? (
          <g fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round">
            <circle cx="9" cy="9" r="3.2" />
            <path d="M9 1.8v1.6M9 14.6v1.6M1.8 9h1.6M14.6 9h1.6M3.9 3.9l1.1 1.1M13 13l1.1 1.1M3.9 14.1L5 13M13 5l1.1-1.1" />
          </g>
        ) : (
          <path fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round" d="M14.8 10.9A6.3 6.3 0 0 1 7.1 3.2a6.3 6.3 0 1 0 7.7 7.7z" />
        )}
      </svg>
    </button>
  );
}
