"""The PL/pgSQL blocks of a script: what the service does in a loop of statements, a script runs as one DO block. Pure.

The statements of a recipe stay as they are, run with EXECUTE … USING, so that their parameters stay parameters.
"""

from holdfastd.names import literal, qualified
from holdfastd.plan.lock_budgets import script_timeout
from holdfastd.plan.model import CleanUpRecipe, LockPolicy, Plan, Step

_FIRST_ROWS, _BATCH_ROWS, _FOUND_ROWS, _WINDOW_BLOCKS = 100, 500, 10_000, 131_072
#: How long a batch should hold its lock, in seconds: the next one shrinks when it took longer.
_HELD = 0.1

#: Rows that this transaction deleted and updated so far, cascades and triggers included.
_TAKEN = (
    "SELECT coalesce(pg_catalog.sum(n_tup_del), 0)::bigint, coalesce(pg_catalog.sum(n_tup_upd), 0)::bigint"
    " FROM pg_catalog.pg_stat_xact_user_tables WHERE schemaname <> 'holdfast'"
)

#: One walk after the other, window by window, committing batch by batch. What stands in braces is SQL, quoted.
_CLEAN_UP = """
DECLARE
  batch bigint; low bigint; high bigint; blocks bigint; left_over bigint; changed bigint; saved bigint; added bigint;
  before bigint; after bigint; deletes bigint; updated_before bigint; updated bigint; tolerated bigint; refused text;
  addresses text[]; chunk text[]; position integer; last text[]; fresh text[]; found text[]; most integer := {first}; since timestamptz;
BEGIN
  IF NOT pg_catalog.current_setting('track_counts')::boolean THEN
    RAISE EXCEPTION 'track_counts is off, so nobody could tell what triggers change';
  END IF;
  FOR walk IN 1..10 LOOP
    blocks := pg_catalog.pg_relation_size({table}::pg_catalog.regclass) / pg_catalog.current_setting('block_size')::bigint;
    low := 0;
    WHILE low < blocks LOOP
      high := low + {window};
      EXECUTE {find} INTO addresses USING '(' || low || ',0)', '(' || high || ',0)', {most}::bigint;
      position := 1;
      WHILE position <= pg_catalog.cardinality(addresses) LOOP
        chunk := addresses[position:position + most - 1];
        position := position + most;
        EXECUTE {lock};
        since := pg_catalog.clock_timestamp();
        INSERT INTO holdfast.ledger (plan_id, step, entry) VALUES ({plan}, {step}, 'BATCH') RETURNING id INTO batch;
        EXECUTE {back_up} USING batch, chunk;
        EXECUTE {recheck} USING batch;
{expansions}        tolerated := 0;
{nulled}        {taken} INTO before, updated_before;
        EXECUTE {change} USING batch;
        GET DIAGNOSTICS changed = ROW_COUNT;
        SET CONSTRAINTS ALL IMMEDIATE;
        {taken} INTO after, updated;
        SELECT pg_catalog.count(*) FILTER (WHERE via = 0), pg_catalog.count(*) FILTER (WHERE action = 'DELETE'), pg_catalog.count(*)
          INTO saved, deletes, added FROM holdfast.backup AS rows WHERE rows.batch = clean_up.batch;
        IF deletes = 0 THEN tolerated := tolerated + saved; END IF;
        IF changed <> saved OR after - before <> deletes OR updated - updated_before > tolerated THEN
          RAISE EXCEPTION '% rows were backed up, % changed, % deleted, % updated: a trigger or rule interferes',
            added, changed, after - before, updated - updated_before;
        END IF;
{left}      UPDATE holdfast.ledger SET row_count = added WHERE id = clean_up.batch;
        COMMIT;
        most := greatest(1, least({limit}, 2 * most,
          (most * {held} / greatest(0.001, extract(epoch FROM pg_catalog.clock_timestamp() - since)))::integer));
      END LOOP;
      IF pg_catalog.cardinality(addresses) < {most} THEN
        low := high;
      END IF;
    END LOOP;
    EXECUTE {count} INTO left_over;
    EXIT WHEN left_over = 0;
  END LOOP;
  IF left_over > 0 THEN
    RAISE EXCEPTION '% orphan rows are still there: look for what keeps changing them, then run this again', left_over;
  END IF;
END
"""
_KEPT = """      EXECUTE {kept} INTO added USING batch;
      IF added > 0 THEN RAISE EXCEPTION '% rows do not have their new values: a trigger interferes', added; END IF;
      SELECT pg_catalog.count(*) INTO added FROM holdfast.backup AS rows WHERE rows.batch = clean_up.batch;
"""
#: Each round follows what the last one added.
_FOLLOWED = """        SELECT pg_catalog.array_agg(row_id::text) INTO fresh FROM holdfast.backup AS rows WHERE rows.batch = clean_up.batch;
        WHILE pg_catalog.cardinality(fresh) > 0 LOOP
          last := fresh;
          fresh := '{{}}';
{expansions}        END LOOP;
"""
_EXPANSION = """          EXECUTE {back_up} INTO found USING batch, last;
          EXECUTE {recheck} USING batch, found, last;
          fresh := fresh || found;
"""
_REFUSED = """        EXECUTE {refused} INTO refused USING batch;
        IF refused IS NOT NULL THEN RAISE EXCEPTION '%', refused; END IF;
"""
_NULLED = """        EXECUTE {nulled} INTO added USING batch;
        tolerated := tolerated + added;
"""


def lock_timeout(policy: LockPolicy) -> str:
    """Return the statement that sets how long to wait for locks."""
    return f"SET lock_timeout = '{script_timeout(policy)}'"


def quoted(text: str) -> str:
    """Return text dollar-quoted, with a tag that it does not hold."""
    number = 0
    while f"$q{number}$" in text:
        number += 1
    return f"$q{number}${text}$q{number}$"


def clean_up(plan_id: str, step: Step, recipe: CleanUpRecipe) -> str:
    """Return the block that backs up and cleans up orphan rows as the service does."""
    followed = "".join(
        _EXPANSION.format(back_up=quoted(expansion.back_up), recheck=quoted(expansion.recheck)) for expansion in recipe.expansions
    )
    loop = _FOLLOWED.format(expansions=followed) if followed else ""
    loop += "".join(_REFUSED.format(refused=quoted(question)) for question in recipe.refused)
    sql = {name: quoted(getattr(recipe, name)) for name in ("find", "lock", "back_up", "recheck", "change", "count")}
    body = _CLEAN_UP.format(
        table=literal(qualified(recipe.tables[0])),
        plan=literal(plan_id),
        step=step.number,
        window=_WINDOW_BLOCKS,
        first=_FIRST_ROWS,
        limit=_BATCH_ROWS,
        held=_HELD,
        most=_FOUND_ROWS,
        taken=_TAKEN,
        expansions=loop,
        nulled="".join(_NULLED.format(nulled=quoted(question)) for question in recipe.nulled),
        left="".join(
            [_KEPT.format(kept=quoted(question)) for question in recipe.kept]
            + [f"      EXECUTE {quoted(statement)} USING batch;\n" for statement in recipe.left]
        ),
        **sql,
    )
    return f"<<clean_up>>{body}"


def refuse_inexact(plan_id: str, plan: Plan) -> str:
    """Return the block that fails, naming the rows, when putting rows back would not be exact."""
    checks = [(check, step.number) for step in plan.steps if step.recipe is not None for check in step.recipe.restore_checks]
    # Read by name: a ledger that an earlier version made knows no purging.
    purged = (
        "SELECT 'rows of the backup were purged at ' || purge.written_at FROM holdfast.ledger AS entry"
        " JOIN holdfast.ledger AS purge ON purge.id = (pg_catalog.to_jsonb(entry.*) ->> 'purged_by')::bigint"
        " WHERE entry.plan_id = $1::text AND (pg_catalog.to_jsonb(entry.*) ->> 'gone_rows')::bigint > 0"
    )
    damaged = (
        "SELECT 'backup batch ' || entry.id || ' is incomplete' FROM holdfast.ledger AS entry WHERE entry.plan_id = $1::text"
        " AND entry.entry = 'BATCH' AND pg_catalog.to_jsonb(entry.*) ->> 'purged_by' IS NULL AND entry.row_count <>"
        " (SELECT pg_catalog.count(*) FROM holdfast.backup AS saved WHERE saved.batch = entry.id)"
    )
    lines = [
        f"  FOR obstacle IN EXECUTE {quoted(check)} USING {literal(plan_id)}::text, {step} LOOP"
        " RAISE EXCEPTION 'not exact, nothing was touched: %', obstacle; END LOOP;"
        for check, step in ((purged, 0), (damaged, 0), *checks)
    ]
    return "\nDECLARE\n  obstacle text;\nBEGIN\n" + "\n".join(lines) + "\nEND\n"


def put_back(plan_id: str, step: Step, recipe: CleanUpRecipe) -> str:
    """Return the block that puts the batches of a cleanup back, the last one first, one transaction each."""
    return f"""<<put_back>>
DECLARE
  batch bigint; rows bigint; wrong bigint; entry bigint; off text[]; back_on text[]; statement text;
BEGIN
  FOR batch IN SELECT ledger.id FROM holdfast.ledger AS ledger
    WHERE ledger.plan_id = {literal(plan_id)} AND ledger.step = {step.number} AND ledger.entry = 'BATCH'
    AND EXISTS (SELECT FROM holdfast.backup AS saved WHERE saved.batch = ledger.id AND saved.restored_by IS NULL)
    ORDER BY ledger.id DESC
  LOOP
    SELECT pg_catalog.array_agg(turn_off), pg_catalog.array_agg(turn_on) INTO off, back_on FROM ({recipe.triggers}) AS firing;
    FOREACH statement IN ARRAY coalesce(off, '{{}}') LOOP EXECUTE statement; END LOOP;
    EXECUTE {quoted(recipe.restore)} INTO rows, wrong USING batch;
    IF wrong > 0 THEN RAISE EXCEPTION '% rows would not come back as they were: a rule interferes', wrong; END IF;
    IF off IS NOT NULL THEN SET CONSTRAINTS ALL IMMEDIATE; END IF;
    FOREACH statement IN ARRAY coalesce(back_on, '{{}}') LOOP EXECUTE statement; END LOOP;
    INSERT INTO holdfast.ledger (plan_id, step, entry, row_count) VALUES ({literal(plan_id)}, {step.number}, 'RESTORED', rows)
      RETURNING id INTO entry;
    UPDATE holdfast.backup AS saved SET restored_by = entry WHERE saved.batch = put_back.batch AND saved.restored_by IS NULL;
    COMMIT;
  END LOOP;
END
"""
