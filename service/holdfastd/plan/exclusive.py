"""PL/pgSQL that takes the lock of the service, and gives it back: scripts and migrations are applications, too. Pure."""

from holdfastd.session_contract import APPLICATION_LOCK

#: A session that just ended may hold it for a moment.
_TRIES, _PAUSE_SECONDS = 20, 0.1

_CLASS, _KEY = APPLICATION_LOCK
_HELD = (
    "pg_catalog.pg_locks AS held WHERE held.locktype = 'advisory' AND held.granted"
    f" AND held.classid::bigint = {_CLASS} AND held.objid::bigint = {_KEY} AND held.objsubid = 2"
    " AND held.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
)
_IS_OURS = f"EXISTS (SELECT FROM {_HELD} AND held.pid = pg_catalog.pg_backend_pid())"

#: By trying: a statement that waits for a lock holds a snapshot, for which concurrent builds of indexes wait.
TAKE_LOCK = f"""  IF NOT {_IS_OURS} THEN
    FOR attempt IN 1..{_TRIES} LOOP
      EXIT WHEN pg_catalog.pg_try_advisory_lock({_CLASS}, {_KEY});
      IF attempt = {_TRIES} THEN
        RAISE EXCEPTION 'another application works on this database (%): run this again when it has ended', coalesce(
          (SELECT 'process ' || activity.pid || ', ' || coalesce(activity.application_name, '') FROM pg_catalog.pg_stat_activity AS activity
            WHERE activity.pid IN (SELECT held.pid FROM {_HELD}) LIMIT 1), 'it just ended');
      END IF;
      PERFORM pg_catalog.pg_sleep({_PAUSE_SECONDS});
    END LOOP;
  END IF;
"""
GIVE_LOCK_BACK = f"""  IF {_IS_OURS} THEN
    PERFORM pg_catalog.pg_advisory_unlock({_CLASS}, {_KEY});
  END IF;
"""
