"""How long forming hypotheses takes, how much memory, and how both grow: catalogs of 500 to 10 000 tables, no database needed.

    python tests/benchmarks/discovery_speed.py [--tables N …] [--shape SHAPE …]

Four shapes: `schemas` repeats real ones in a schema per copy, `modules` repeats them under a prefix per module, as plugins do;
`made` is drawn from a list of words and needs no corpus, and so is `pairs`, where every key begins with `tenant_id`. One process
per line, so that peaks of memory are its own. CPU seconds, not wall: other work on the machine does not count. Growth is the exponent
between a line and the one before: 1 is linear.
"""

import argparse
import math
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "tests")]

from benchmarks.facts import Facts, build_catalog, read_facts  # noqa: E402
from holdfastd.inference.candidates import conclude, form_hypotheses  # noqa: E402

CORPUS = ROOT.parent / "shared" / "corpus"
TABLES = (500, 1_000, 2_500, 5_000, 10_000)
SHAPES = ("schemas", "modules", "made", "pairs")
#: What the made schemas are about.
_WORDS = (
    "account address agreement asset batch bill branch budget campaign carrier category channel claim client contract coupon course crate "
    "customer dealer delivery department device discount dispatch document driver employee event facility fee field fleet folder forecast "
    "grade group holiday invoice item job journal key label language lead ledger lesson letter license line list location machine market "
    "measure meeting member menu message meter method mission module note notice offer office operation order package page partner patient "
    "payment period permit person phase plan plant policy position price process product profile project proposal quote rate reading receipt "
    "record region release rental report request reservation resource review role room route rule sale schedule school season section sensor "
    "service session shift shipment shop site skill slot source stage station status step stock store street student subject supplier survey "
    "system tariff task tax team term test ticket token tool topic track trade trip unit user vehicle vendor visit voucher warehouse zone"
)
_NOUNS = _WORDS.split()
_PLAIN = (
    "name text",
    "status text",
    "amount numeric",
    "created_at timestamp with time zone",
    "note text",
    "quantity integer",
    "active boolean",
)


def main() -> int:
    """Measure each size of each shape in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, nargs="+", default=list(TABLES))
    parser.add_argument("--shape", choices=SHAPES, nargs="+", default=list(SHAPES))
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(*_measured(options.shape[0], options.tables[0]))
        return 0
    print(
        f"{'shape':8s} {'tables':>7s} {'columns':>8s} {'candidates':>11s} {'CPU s':>7s} {'growth':>7s} {'MB, catalog':>12s} {'MB, peak':>9s}"
    )
    for shape in options.shape:
        if shape not in {"made", "pairs"} and not CORPUS.is_dir():
            print(f"{shape:8s} skipped: no corpus at {CORPUS}")
            continue
        before: tuple[int, float] | None = None
        for tables in options.tables:
            command = [sys.executable, __file__, "--alone", "--shape", shape, "--tables", str(tables)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            made, columns, candidates, seconds, memory, peak = int(told[0]), int(told[1]), int(told[2]), float(told[3]), told[4], told[5]
            growth = f"{math.log(seconds / before[1]) / math.log(made / before[0]):7.2f}" if before else " " * 7
            print(f"{shape:8s} {made:7d} {columns:8d} {candidates:11d} {seconds:7.2f} {growth} {memory:>12s} {peak:>9s}", flush=True)
            before = made, seconds
    return 0


def _measured(shape: str, tables: int) -> tuple[int, int, int, str, int, int]:
    """Return tables, columns, candidates, CPU seconds, and megabytes before and at the peak."""
    catalog = build_catalog({"tables": list(_shaped(shape, tables)), "foreign_keys": []})
    memory, start = _peak(), time.process_time()
    candidates = conclude(catalog, form_hypotheses(catalog))
    seconds = time.process_time() - start
    columns = sum(len(table.columns) for table in catalog.tables.values())
    return len(catalog.tables), columns, len(candidates), f"{seconds:.3f}", memory, _peak()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _shaped(shape: str, tables: int) -> Iterator[Facts]:
    made = _made(tables) if shape == "made" else _in_pairs(tables) if shape == "pairs" else _repeated(shape, tables)
    for table, _ in zip(made, range(tables), strict=False):
        yield table


def _repeated(shape: str, tables: int) -> Iterator[Facts]:
    """Real schemas one after the other, again and again, each time in a schema or under a prefix of its own."""
    schemas = [read_facts(path) for path in sorted(CORPUS.glob("[!_]*.json"))]
    for number in range(tables):
        facts = schemas[number % len(schemas)]
        for table in facts["tables"]:
            own = f"t{number:04d}"
            yield table | (
                {"schema": f"{own}_{table['schema']}"} if shape == "schemas" else {"schema": "public", "name": f"{own}_{table['name']}"}
            )


def _made(tables: int) -> Iterator[Facts]:
    """Tables of ten columns named by one to three words; two to four columns name other tables, one says who did it."""
    chance = random.Random(7)
    names: list[str] = ["user"]
    taken = set(names)
    while len(names) < tables:
        name = "_".join(chance.choices(_NOUNS, k=1 + (len(names) > len(_NOUNS) // 2) + (chance.random() < 0.4)))
        if name not in taken:
            taken.add(name)
            names.append(name)
    for place, name in enumerate(names):
        referenced = {f"{other}_id" for other in chance.choices(names[: max(place, 1)], k=chance.randint(2, 4))} | {
            f"{chance.choice(_NOUNS)}_id"
        }
        written = [
            "id integer",
            *(f"{column} integer" for column in sorted(referenced)),
            chance.choice(("created_by integer", "owner_id integer")),
        ]
        written += _PLAIN[: 10 - len(written)]
        columns = [dict(zip(("name", "type"), each.split(" ", 1), strict=True)) for each in dict.fromkeys(written)]
        indexes = [
            {"name": f"{name}_{column}", "columns": [column], "key_count": 1, "method": "btree", "is_unique": False}
            for column in sorted(referenced)
            if chance.random() < 0.6
        ]
        key = {"name": f"{name}_pkey", "kind": "p", "columns": ["id"]}
        yield {"schema": "public", "name": f"{name}s", "columns": columns, "keys": [key], "indexes": indexes}


def _in_pairs(tables: int) -> Iterator[Facts]:
    """The made ones, each with the tenant in its key and one word before every name."""
    for table in _made(tables):
        key = {**table["keys"][0], "columns": ["tenant_id", "id"]}
        yield table | {
            "name": f"app_{table['name']}",
            "columns": [{"name": "tenant_id", "type": "integer"}, *table["columns"]],
            "keys": [key],
        }


if __name__ == "__main__":
    sys.exit(main())
