"""Endpoints of poolers are known by name, and the server behind them where the name tells it."""

import pytest

from holdfastd.target.dsn import parse
from holdfastd.target.pooled import recognise

NEON = "ep-cool-darkness-123456"


@pytest.mark.parametrize(
    ("dsn", "direct"),
    [
        (f"postgresql://me@{NEON}-pooler.us-east-2.aws.neon.tech/db", f"{NEON}.us-east-2.aws.neon.tech:5432"),
        (f"postgresql://me@{NEON}-POOLER.c-2.us-east-2.aws.neon.tech./db", f"{NEON}.c-2.us-east-2.aws.neon.tech:5432"),
        ("postgresql://postgres.abcdef@aws-0-eu-west-1.pooler.supabase.com:6543/postgres", "db.abcdef.supabase.co:5432"),
        ("postgresql://postgres.abcdef@aws-0-eu-west-1.pooler.supabase.com:5432/postgres", "db.abcdef.supabase.co:5432"),
        ("postgresql://postgres@db.abcdef.supabase.co:6543/postgres", "db.abcdef.supabase.co:5432"),
        ("postgresql://me@shop.postgres.database.azure.com:6432/db", "shop.postgres.database.azure.com:5432"),
        ("postgresql://me@shop-do-user-1.b.db.ondigitalocean.com:25061/pool", "shop-do-user-1.b.db.ondigitalocean.com:25060"),
        ("postgresql://me@shop.proxy-abc.eu-west-1.rds.amazonaws.com/db", ""),
        ("postgresql://me@10.0.0.7:6432/db", ""),
        ("postgresql://me@db.example.org/db?pgbouncer=true", ""),
    ],
)
def test_poolers_are_recognised(dsn: str, direct: str) -> None:
    """What to register instead is said where it is known."""
    pooled = recognise(parse(dsn))

    assert pooled is not None
    assert pooled.direct == direct
    assert pooled.sign
    assert direct in pooled.cure


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://me@{NEON}.us-east-2.aws.neon.tech/db",
        "postgresql://postgres@db.abcdef.supabase.co/postgres",
        "postgresql://me@db.example.org:6543/db",
        "postgresql://me@pooler.example.org/db",
        "postgresql://me@shop.eu-west-1.rds.amazonaws.com/db",
        "postgresql://me@db.example.org/db?pgbouncer=false",
        "postgresql://me@/db?host=/run/postgresql",
    ],
)
def test_servers_are_left_alone(dsn: str) -> None:
    """A warning that is always there is read by nobody."""
    assert recognise(parse(dsn)) is None
