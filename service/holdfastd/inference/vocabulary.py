"""Words whose meaning does not depend on the schema: roles, people, outsiders, bookkeeping. Data, no logic."""

#: A column named so points into its own table.
SELF_WORDS = frozenset(
    {"parent", "root", "ancestor", "previous", "prev", "next", "superseded", "supersede", "predecessor", "successor", "original", "duplicate"}
    | {"child", "descendant", "sibling", "reply", "replaced", "forked", "copied", "cloned", "origin", "merged", "reblog", "quoted", "super"}
)
#: People in relation to another person: `customers.referred_by` is a customer.
KINSHIP_WORDS = frozenset({"referred", "referrer", "invited", "inviter", "manager", "sponsor", "mentor", "supervisor", "boss"})
#: What a person is to a row: `owner_id`, `reviewer_id`.
AGENT_WORDS = frozenset(
    {"owner", "author", "creator", "assignee", "assigner", "reviewer", "approver", "operator", "manager", "sender", "recipient", "receiver"}
    | {"inviter", "invitee", "requester", "requestor", "moderator", "uploader", "grantee", "granter", "grantor", "editor", "updater", "modifier"}
    | {"deleter", "publisher", "submitter", "reporter", "resolver", "handler", "agent", "admin", "administrator", "buyer", "seller", "actor"}
    | {"assigned", "blocker", "follower", "voter", "poster", "writer", "lead", "supervisor", "contact", "referrer", "sponsor", "mentor"}
    | {"responder", "commenter", "organizer", "host", "participant", "subscriber", "performer", "initiator", "impersonator", "salesperson"}
    | {"auditor", "teacher", "student", "borrower", "signer", "caller", "initiated", "whodunnit"}
)
#: Words before `by`: `created_by`, `lastUpdatedBy`.
BY = "by"
#: Tables of people, the likeliest first.
PERSON_WORDS = ("user", "person", "account", "member", "employee", "profile", "staff", "login", "userinfo")
#: What tables of people have columns for: sign -> spellings without separators, key suffixes cut off.
PERSON_SIGNS = {
    "email": frozenset({"email", "emailaddress", "mail"}),
    "password": frozenset({"password", "passwordhash", "hashedpassword", "encryptedpassword", "passwordencrypted", "passwd", "pwd", "passworddigest"}),
    "login": frozenset({"login", "username", "user", "lastlogin", "lastlogindate", "loggedin", "lastsignin", "loginname", "screen"}),
    "given name": frozenset({"first", "firstname", "given", "givenname", "forename"}),
    "family name": frozenset({"last", "lastname", "surname", "familyname"}),
    "avatar": frozenset({"avatar", "avatarurl", "photo", "picture", "displayname", "birthdate", "dateofbirth", "gender", "birthday"}),
    "rights": frozenset({"issuperuser", "isstaff", "isadmin", "admin", "locale", "timezone", "emailverified", "confirmedat", "privs"}),
}
#: Places in a pair or a chain; alone they name no table.
PLACE_WORDS = frozenset(
    {"new", "old", "from", "to", "source", "src", "target", "destination", "dst", "left", "right", "first", "second", "main", "related", "linked", "other"}
    | {"begin", "end", "before", "after", "upper", "lower", "default", "current", "object"}
)
#: Tables whose rows are people in the business, if not users of the application.
PERSON_LIKE = frozenset({*PERSON_WORDS, "customer", "client", "patient", "student", "contact", "party", "guest", "driver", "worker", "agent", "partner"})
#: Ids given by others; they point at nothing here.
EXTERNAL_WORDS = frozenset(
    {"stripe", "paypal", "google", "github", "gitlab", "slack", "external", "ext", "legacy", "remote", "provider", "twilio", "auth0", "facebook"}
    | {"twitter", "apple", "azure", "aws", "gcp", "netsuite", "salesforce", "hubspot", "xero", "zendesk", "plaid", "gocardless", "adyen"}
    | {"braintree", "intercom", "discord", "telegram", "foreign", "upstream", "vendor", "psp", "mollie", "linear", "jira", "notion", "lob", "remoteid"}
)
#: Things that are named but kept nowhere.
OPAQUE_WORDS = frozenset(
    {"session", "request", "trace", "device", "correlation", "transaction", "message", "span", "visitor", "browser", "client", "job", "process"}
    | {"thread", "worker", "hash", "token", "batch", "idempotency", "tracking", "run", "sequence", "order"}
)
#: The other half of a polymorphic reference.
TYPE_WORDS = frozenset({"type", "kind", "class", "table", "model", "typename"})
#: Tables in which migration tools keep their books.
BOOKKEEPING = frozenset(
    {"schema_migrations", "ar_internal_metadata", "_prisma_migrations", "alembic_version", "django_migrations", "goose_db_version", "schema_version"}
    | {"databasechangelog", "databasechangeloglock", "__diesel_schema_migrations", "_sqlx_migrations", "__drizzle_migrations", "typeorm_metadata"}
    | {"sequelizemeta", "pgmigrations", "migrations_history", "gorp_migrations", "__efmigrationshistory", "phinxlog", "doctrine_migration_versions"}
)
BOOKKEEPING_PREFIXES = ("flyway_", "knex_", "_backup_", "backup_", "bak_", "__drizzle", "_prisma_")
BOOKKEEPING_SUFFIXES = ("_backup", "_bak", "_old_backup")

#: Tables that own what references them.
OWNER_WORDS = frozenset(
    {"user", "account", "tenant", "organization", "organisation", "team", "project", "workspace", "company", "customer", "person", "member"}
    | {"site", "instance", "community", "family", "group", "environment", "client", "owner", "profile", "space"}
)
#: Tables of reference data.
LOOKUP_WORDS = frozenset(
    {"type", "status", "category", "country", "currency", "plan", "product", "model", "unit", "tier", "kind", "class", "language", "locale", "region"}
    | {"state", "province", "city", "color", "colour", "size", "brand", "manufacturer", "priority", "level", "reason", "method", "code", "concept"}
    | {"vehicle", "item", "service", "permission", "role", "supplier", "shipper", "store", "warehouse", "film", "title", "address"}
)
#: Columns by which people recognise reference data.
LABEL_WORDS = frozenset({"name", "code", "sku", "model", "title", "label", "symbol", "iso", "description", "brand"})
#: Tables that tell what happened.
HISTORY_WORDS = frozenset(
    {"log", "event", "history", "audit", "transaction", "payment", "invoice", "order", "session", "record", "entry", "activity", "visit", "execution"}
    | {"ledger", "refund", "receipt", "trace", "archive", "revision", "version", "run", "vote", "verification"}
)
#: Tables whose rows are owed to a tax office.
FINANCIAL_WORDS = frozenset({"transaction", "payment", "invoice", "order", "ledger", "refund", "receipt", "charge", "payout", "journal", "credit", "purchase"})
#: Tables of rows that must outlive what they mention: often without keys on purpose.
ASIDE_WORDS = frozenset(
    {"history", "hi", "hist", "archive", "archived", "audit", "log", "deleted", "snapshot", "raw", "tmp", "temp", "staging", "import", "backup", "dump"}
)
