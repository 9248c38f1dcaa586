"""The session contract: what every session on a target runs under, of the service and of the scripts. Pure.

Whatever the role, the database or a pooler has set before, these hold. Values as SHOW prints them.
"""

from collections.abc import Mapping

#: pg_advisory_lock key of Holdfast, ("hold" in ASCII, 1): whoever applies or rolls back holds it, so one at a time works on a database.
APPLICATION_LOCK = (0x686F6C64, 1)

CONTRACT: Mapping[str, str] = {
    # Nobody's schema comes before pg_catalog: operators and functions are the server's own.
    "search_path": "",
    # Hidden rows become an error, not a wrong count.
    "row_security": "off",
    # After a wait, a statement must see what the others committed: a snapshot from before it would judge rows that are repaired.
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    # "Done" in the ledger must survive a crash.
    "synchronous_commit": "on",
    # What is never ours to leave behind: a transaction without a client, or a wait without an end.
    "idle_in_transaction_session_timeout": "15s",
    "lock_timeout": "5s",
    "idle_session_timeout": "0",
    # Values as text must round-trip, on every server alike.
    "extra_float_digits": "1",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "bytea_output": "hex",
    "array_nulls": "on",
    "xmloption": "content",
    # Anti-joins are estimated high; compiling them costs more than it gains.
    "jit": "off",
}
#: What the contract does not say, because the service chooses it per session.
SCRIPT_SETTINGS: Mapping[str, str] = {
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
    "client_min_messages": "warning",
    "application_name": "holdfast/script",
}
#: A role's own would end an index build in the middle and leave it invalid. Unknown to servers before this version.
TRANSACTION_TIMEOUT: Mapping[str, str] = {"transaction_timeout": "0"}
TRANSACTION_TIMEOUT_MAJOR = 17
#: A server-side statement ends soon after its client died. Refused by servers that cannot poll sockets (not Linux or BSD).
CLIENT_CHECK: Mapping[str, str] = {"client_connection_check_interval": "1s"}
#: An idle session ends soon after the network to its client was cut. Of no meaning on a unix socket.
KEEPALIVES: Mapping[str, str] = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
