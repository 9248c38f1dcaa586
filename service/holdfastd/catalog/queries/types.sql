-- name: list_types
-- Types of the given tables' columns with what they are made of: domains are followed down to a type that is none, and are NOT NULL
-- when one on the way is.
WITH RECURSIVE resolved (declared, current, not_null) AS (
    SELECT declared.oid, declared.oid, declared.typnotnull
    FROM pg_catalog.pg_type AS declared
    WHERE declared.oid IN (
        SELECT attribute.atttypid
        FROM pg_catalog.pg_attribute AS attribute
        WHERE attribute.attrelid = ANY ($1::pg_catalog.oid[])
          AND attribute.attnum > 0
          AND NOT attribute.attisdropped
    )
    UNION ALL
    SELECT resolved.declared, base.oid, resolved.not_null OR base.typnotnull
    FROM resolved
    JOIN pg_catalog.pg_type AS domain_ ON domain_.oid = resolved.current AND domain_.typtype = 'd'
    JOIN pg_catalog.pg_type AS base ON base.oid = domain_.typbasetype
)
SELECT resolved.declared AS oid,
       base.oid AS base_oid,
       namespace.nspname AS base_schema,
       base.typname AS base_name,
       base.typcategory::pg_catalog.text AS category,
       ARRAY(
           SELECT label.enumlabel::pg_catalog.text
           FROM pg_catalog.pg_enum AS label
           WHERE label.enumtypid IN (base.oid, base.typelem)
           ORDER BY label.enumsortorder
       ) AS enum_labels,
       resolved.not_null AS not_null
FROM resolved
JOIN pg_catalog.pg_type AS base ON base.oid = resolved.current AND base.typtype <> 'd'
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = base.typnamespace;

-- name: list_operator_classes
-- Operator family and input type of every operator class.
SELECT class.oid AS oid,
       class.opcfamily AS family,
       class.opcintype AS input_type
FROM pg_catalog.pg_opclass AS class;

-- name: list_equality_members
-- Equality operators of all btree and hash families (strategies 3 and 1): those that keys and their indexes compare by.
SELECT member.amopfamily AS family,
       member.amoplefttype AS left_type,
       member.amoprighttype AS right_type,
       member.amopopr AS operator
FROM pg_catalog.pg_amop AS member
JOIN pg_catalog.pg_am AS method ON method.oid = member.amopmethod
WHERE (method.amname, member.amopstrategy) IN (('btree', 3), ('hash', 1))
  AND member.amoppurpose = 's';

-- name: list_operators
-- The given operators with their operand types.
SELECT operator.oid AS oid,
       namespace.nspname AS schema,
       operator.oprname AS name,
       operator.oprleft AS left_type,
       operator.oprright AS right_type
FROM pg_catalog.pg_operator AS operator
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = operator.oprnamespace
WHERE operator.oid = ANY ($1::pg_catalog.oid[]);

-- name: list_implicit_casts
-- Casts that the server applies unasked.
SELECT cast_.castsource AS source,
       cast_.casttarget AS target
FROM pg_catalog.pg_cast AS cast_
WHERE cast_.castcontext = 'i';

-- name: list_type_names
-- Names of the given types.
SELECT type.oid AS oid,
       namespace.nspname AS schema,
       type.typname AS name
FROM pg_catalog.pg_type AS type
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = type.typnamespace
WHERE type.oid = ANY ($1::pg_catalog.oid[]);
