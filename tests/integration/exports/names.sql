-- Names, labels and comments that mean something in TypeScript, in JavaScript's objects, or in Prisma's language.

CREATE TYPE "state `${x}`" AS ENUM ('it''s "done"', '${x}`', 'ok', '1st', 'é', E'new\nline', '🐎');

CREATE TABLE "constructor" (
  "class" integer PRIMARY KEY,
  "default" text DEFAULT 'it''s `${1}` "x" \ y',
  "new" bigint NOT NULL DEFAULT 9007199254740993
);

COMMENT ON TABLE "constructor" IS E'end */ of it\n// second `${1}`';

COMMENT ON COLUMN "constructor"."class" IS E'</script> \u202e backwards';

CREATE TABLE index (
  id serial PRIMARY KEY,
  "constructor" integer REFERENCES "constructor" ON DELETE RESTRICT ON UPDATE CASCADE,
  "a b" text,
  "a_b" text,
  "aB" text,
  "€" text,
  "数量" integer,
  "__proto__" text
);

CREATE TABLE "weird `${name}` \ */ </script>" (
  "id ""q"" '" integer PRIMARY KEY,
  "line
break" integer,
  "state" "state `${x}`" DEFAULT 'it''s "done"',
  "index id" integer REFERENCES index ON DELETE SET NULL
);

CREATE TABLE U&"\202Ebackwards" (id integer, U&"\+01D4B3 value" integer);

CREATE TABLE parted (id integer NOT NULL, day date NOT NULL, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);

CREATE TABLE parted_2020 PARTITION OF parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
