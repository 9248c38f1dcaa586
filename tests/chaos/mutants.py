"""Deliberately broken engines: each takes one guard away, and names the tests that must notice.

A test suite that stays green over one of these proves nothing. Texts must be found exactly once, so that a mutant whose code moved is
noticed, too.
"""

from dataclasses import dataclass

POINTS = "tests/chaos/test_crash_points.py::"
GUARDS = "tests/chaos/test_guards.py::"
RACES = "tests/integration/execute/test_races.py::"
LIFECYCLE = "tests/integration/execute/test_lifecycle.py::test_apply_and_roll_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One broken engine. `edits`: file below service/holdfastd, text that is there once, text that takes its place."""

    name: str
    breaks: str
    edits: tuple[tuple[str, str, str], ...]
    caught_by: tuple[str, ...]


_CLEAN_UP, _BATCH, _PUT_BACK = "execute/clean_up.py", "execute/batch.py", "execute/put_back.py"
_APPLY, _BUILD = "execute/apply.py", "execute/index_build.py"

MUTANTS = (
    Mutant(
        # The second look alone is missed by servers only that take a changed row for the one at its old address (before 2025-11).
        name="rows not locked, no second look",
        breaks="a row is judged by what it was before somebody repaired it",
        edits=(
            (_BATCH, "        await work.execute(recipe.recheck, batch)\n", ""),
            ("plan/recipe.py", "      FOR UPDATE OF referencing) AS doomed", "      ) AS doomed"),
        ),
        caught_by=(f"{RACES}test_row_repaired_while_we_wait_for_it_stays",),
    ),
    Mutant(
        name="referenced table not locked",
        breaks="a row is deleted though its referenced row commits a moment later",
        edits=((_BATCH, "        await work.execute(recipe.lock)\n", ""),),
        caught_by=(f"{RACES}test_referenced_row_that_commits_late_is_not_missed",),
    ),
    Mutant(
        name="backup and deletion in two transactions",
        breaks="a crash between the two leaves rows both in the table and in the backup",
        edits=(
            (
                _BATCH,
                "            await self._change(batch, saved)\n",
                '            await work.execute("COMMIT; BEGIN")\n            await self._change(batch, saved)\n',
            ),
        ),
        caught_by=(f"{POINTS}test_crash_in_an_application[CLEAN_UP.executed#1]",),
    ),
    Mutant(
        name="deletion first, backup after its commit",
        breaks="a crash between the two loses rows for good",
        edits=(
            (
                _BATCH,
                '            await reach("CLEAN_UP.executed")\n',
                """            kept = await work.fetch("SELECT * FROM holdfast.backup WHERE batch = $1", batch)
            await work.execute("DELETE FROM holdfast.backup WHERE batch = $1", batch)
            await work.execute("COMMIT; BEGIN")
            await reach("CLEAN_UP.executed")
            await work.executemany("INSERT INTO holdfast.backup SELECT ($1::holdfast.backup).*", [(tuple(row),) for row in kept])
""",
            ),
        ),
        caught_by=(f"{POINTS}test_crash_in_an_application[CLEAN_UP.executed#1]",),
    ),
    Mutant(
        name="dependents not backed up",
        breaks="rows that a cascade deletes are in no backup",
        edits=(
            (_BATCH, "        await self._expand(batch)\n", ""),
            (_BATCH, "        if deletes != saved.deletes or ", "        if batch < 0 and deletes != saved.deletes and "),
        ),
        caught_by=(f"{LIFECYCLE}[pg18-cascades-three-levels-deep-are-in-the-backup]",),
    ),
    Mutant(
        name="changes by triggers not counted",
        breaks="what a user trigger deletes is in no backup",
        edits=((_BATCH, "        if deletes != saved.deletes or ", "        if batch < 0 and deletes != saved.deletes and "),),
        caught_by=(f"{RACES}test_trigger_that_changes_more_is_refused",),
    ),
    Mutant(
        name="no limit to growth",
        breaks="far more rows are deleted than somebody approved",
        edits=((_CLEAN_UP, "        if self.total > allowed:\n", "        if self.total > allowed and not allowed:\n"),),
        caught_by=(f"{RACES}test_no_more_rows_are_deleted_than_were_approved",),
    ),
    Mutant(
        name="intent after the effect",
        breaks="a crash leaves an index that nobody knows to be ours, and a rollback leaves it behind",
        edits=(
            (
                _APPLY,
                """            await ledger.write(self.session, self.plan_id, step.number, "INTENT")
            await reach(f"{step.kind}.intent_written")
""",
                "            pass\n",
            ),
            (
                _APPLY,
                '        await reach(f"{step.kind}.effected")\n',
                """        await reach(f"{step.kind}.effected")
        if step.kind is not StepKind.PREPARE:
            await ledger.write(self.session, self.plan_id, step.number, "INTENT")
""",
            ),
        ),
        caught_by=(f"{POINTS}test_crash_in_an_application[CREATE_INDEX.executed#1]",),
    ),
    Mutant(
        name="done before the effect",
        breaks="the ledger calls an index built that never was",
        edits=(
            (
                _BUILD,
                '        await reach("CREATE_INDEX.before_exec")\n',
                """        from holdfastd.execute import ledger
        await ledger.write(self.session, self.plan_id, self.step.number, "DONE")
        await reach("CREATE_INDEX.before_exec")
""",
            ),
        ),
        caught_by=(f"{POINTS}test_crash_in_an_application[CREATE_INDEX.before_exec#1]",),
    ),
    Mutant(
        name="done not written after a crash",
        breaks="a step that is there has an INTENT and no end for ever",
        edits=((_APPLY, "                await ledger.end_begun(self.session, self.plan_id, step.number)\n", ""),),
        caught_by=(f"{POINTS}test_crash_in_an_application[CREATE_INDEX.executed#1]",),
    ),
    Mutant(
        name="IF NOT EXISTS, and half-built indexes stay",
        breaks="an invalid index is taken for the one that was to be built",
        edits=(
            ("plan/steps/create_index.py", "CREATE INDEX CONCURRENTLY {", "CREATE INDEX CONCURRENTLY IF NOT EXISTS {"),
            (_BUILD, "        if await self._is_half_built():\n", "        if not self.step.number:\n"),
        ),
        caught_by=(f"{GUARDS}test_half_built_index_is_built_again",),
    ),
    Mutant(
        name="no fence",
        breaks="a replica that slept while another took over goes on writing",
        edits=(("execute/ledger.py", "        raise LeaseLost\n", "        return\n"),),
        caught_by=(f"{GUARDS}test_who_was_overtaken_may_not_write",),
    ),
    Mutant(
        name="predecessor not ended",
        breaks="a replica that sleeps keeps its lock, and nobody can go on with its job",
        edits=(("execute/session.py", "            await _end_predecessors(session)\n", ""),),
        caught_by=(f"{POINTS}test_sleeper_wakes_up[CLEAN_UP.lock_acquired]",),
    ),
    Mutant(
        name="successor taken for the predecessor",
        breaks="a replica that slept ends the sessions of the one that took over",
        edits=(("execute/session.py", "> session.job.epoch for", "> 1_000_000 for"),),
        caught_by=(f"{GUARDS}test_who_slept_does_not_end_its_successor",),
    ),
    Mutant(
        name="clock not looked at",
        breaks="a replica that is cut off from the store works on, without a lease, until a connection times out",
        edits=(
            (
                "jobs/context.py",
                "            await is_set(self._deadline_moved, within=left)\n",
                "            await is_set(self._deadline_moved, within=3600)\n",
            ),
        ),
        caught_by=("tests/integration/jobs/test_worker.py::test_worker_cut_off_from_the_store_stops_by_its_own_clock",),
    ),
    Mutant(
        name="claims at the same time",
        breaks="two replicas begin one job more than the limit allows",
        edits=(("store/migrations/0008_queue.sql", "    PERFORM pg_advisory_xact_lock(1751805794);\n", ""),),
        caught_by=("tests/integration/store/test_queue.py::test_limits_hold_for_claims_at_the_same_instant[all]",),
    ),
    Mutant(
        name="lock not taken",
        breaks="two jobs work on one database",
        edits=(("execute/session.py", "            await _take_lock(session)\n", ""),),
        caught_by=(f"{GUARDS}test_two_jobs_do_not_work_on_one_database",),
    ),
    Mutant(
        name="lock_timeout of seconds",
        breaks="the application's writers queue up behind a statement of ours that waits",
        edits=(
            ("execute/statement.py", 'execute(setting, f"{limit}ms", True)', 'execute(setting, "3s", True)'),
            ("execute/statement.py", "limit / 1000 + _SLACK_SECONDS if policy is LockPolicy.SHORT else 0\n", "0.0\n"),
        ),
        caught_by=(f"{RACES}test_writers_never_wait_longer_than_the_lock_policy",),
    ),
    Mutant(
        name="restored rows not marked",
        breaks="a rollback that goes on after a crash puts rows back twice",
        edits=((_PUT_BACK, '    await work.execute(ledger.QUERIES["mark_restored"], batch.id, entry)\n', ""),),
        caught_by=(f"{POINTS}test_crash_in_a_rollback[RESTORE.committed#1]",),
    ),
    Mutant(
        name="restore with ON CONFLICT DO NOTHING",
        breaks="a row whose key was taken meanwhile is silently left out",
        edits=(
            ("plan/restore.py", "FROM {gone} AS gone RETURNING (fresh", "FROM {gone} AS gone ON CONFLICT DO NOTHING RETURNING (fresh"),
            (_PUT_BACK, '    if restored["wrong"]:\n', '    if restored["wrong"] and batch.id < 0:\n'),
        ),
        caught_by=(f"{GUARDS}test_row_that_came_before_ours_was_put_back",),
    ),
    Mutant(
        name="= instead of the key's own operator",
        breaks="padded keys count as orphan rows",
        edits=(
            (
                "evidence/statements.py",
                'return f"{left} OPERATOR({identifier(operator.schema)}.{operator.name}) {right}"',
                'return f"{referenced_alias}.{identifier(referenced.name)}::text = {referencing_alias}.{identifier(referencing.name)}::text"',
            ),
        ),
        caught_by=("tests/integration/evidence/test_orphans.py::test_text_against_char_compares_as_the_key_does[pg18]",),
    ),
    Mutant(
        name="missing ONLY",
        breaks="inherited rows satisfy a key that does not see them",
        edits=(("evidence/statements.py", 'else f"ONLY {qualified(table.name)}"', "else qualified(table.name)"),),
        caught_by=("tests/integration/evidence/test_orphans.py::test_inherited_rows_neither_count_nor_satisfy[pg18]",),
    ),
    Mutant(
        name="row_security left on",
        breaks="rows that a policy hides make the rows that reference them orphans",
        edits=(("session_contract.py", '    "row_security": "off",\n', ""),),
        caught_by=("tests/integration/evidence/test_orphans.py::test_hidden_rows_are_not_counted[pg18]",),
    ),
)
