// Find a table by a part of its name; arrow keys choose, Enter goes there.
import { useId, useState } from "preact/hooks";

const MOST = 8;

export function Finder({ names, choose }: { names: readonly string[]; choose: (name: string) => void }) {
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const id = useId();
  const wanted = text.trim().toLowerCase();
  const found = wanted ? ranked(names, wanted).slice(0, MOST) : [];
  const take = (name: string | undefined) => {
    if (name === undefined) return;
    setText("");
    setOpen(false);
    choose(name);
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "Escape" && open && found.length) {
      event.stopPropagation();
      setOpen(false);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setActive((active + (event.key === "ArrowDown" ? 1 : found.length - 1)) % Math.max(1, found.length));
    } else if (event.key === "Enter") take(found[active]);
  };
  return (
    <div class="finder">
      <input
        type="text"
        role="combobox"
        placeholder="Find a table"
        aria-label="Find a table"
        aria-expanded={open && found.length > 0}
        aria-controls={id}
        aria-autocomplete="list"
        aria-activedescendant={open && found.length ? `${id}-${active}` : undefined}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setActive(0);
          setOpen(true);
        }}
        onKeyDown={pressed}
        onBlur={() => setOpen(false)}
      />
      <ul id={id} role="listbox" aria-label="Tables" hidden={!open || !found.length}>
        {found.map((name, index) => (
          <li key={name} id={`${id}-${index}`} role="option" aria-selected={index === active} onMouseDown={() => take(name)}>
            {name}
          </li>
        ))}
      </ul>
      {open && wanted && !found.length && <p class="finder-none">No table is called so.</p>}
    </div>
  );
}

/** Names that hold the text, those first whose table begins with it. */
function ranked(names: readonly string[], wanted: string): string[] {
  const rank = (name: string) => {
    const table = name.slice(name.indexOf(".") + 1).toLowerCase();
    return table.startsWith(wanted) ? 0 : 1;
  };
  return names.filter((name) => name.toLowerCase().includes(wanted)).sort((a, b) => rank(a) - rank(b) || a.length - b.length || (a < b ? -1 : 1));
}
