"""What is exported, and as what. Pure."""

from enum import StrEnum


class FindingsFormat(StrEnum):
    """What findings are written as."""

    SARIF = "SARIF"
    JUNIT = "JUNIT"


class PlanFormat(StrEnum):
    """What a plan is written as."""

    SQL = "SQL"
    ALEMBIC = "ALEMBIC"
    DJANGO = "DJANGO"
    RAILS = "RAILS"
    FLYWAY = "FLYWAY"
    LIQUIBASE = "LIQUIBASE"
    DRIZZLE = "DRIZZLE"
    PRISMA = "PRISMA"
