-- Rows shaped like the EV-charging database, the same at every load: a hash of the row's number stands in for chance.
-- {factor} scales every table but ev_vehicles: at 1 there are 25.6 million rows. References follow a power law (share of a third
-- power); about 40 rows in a million miss their referenced row: ids beyond the newest, and ids that were deleted.
CREATE SCHEMA chance;
CREATE FUNCTION chance.share(number bigint, seed bigint) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (hashint8extended(number, seed) & 1048575)::double precision / 1048576;
-- One of `ids` numbers; low ones are popular. 1048576 steps are finer than the rows need: a second hash fills them up.
CREATE FUNCTION chance.pick(number bigint, seed bigint, ids bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 1 + least(floor(power(chance.share(number, seed) + chance.share(number, seed + 1) / 1048576, 3) * ids)::bigint, ids - 1);
CREATE FUNCTION chance.person(id bigint) RETURNS character varying LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN md5('driver ' || id)::uuid::text;

CREATE TABLE users (id character varying PRIMARY KEY, email character varying, trust_score integer NOT NULL, created_at timestamp);
CREATE TABLE stations (id integer PRIMARY KEY, name text NOT NULL, added_by_user_id character varying, created_at timestamp);
CREATE TABLE ev_vehicles (id integer PRIMARY KEY, brand text NOT NULL, model text NOT NULL);
CREATE TABLE user_vehicles (id integer PRIMARY KEY, user_id character varying NOT NULL, ev_vehicle_id integer NOT NULL, nickname text);
CREATE TABLE charging_sessions (
    id integer PRIMARY KEY, station_id integer NOT NULL, user_id character varying, user_vehicle_id integer,
    start_time timestamp NOT NULL, energy_kwh real
);
CREATE TABLE reports (
    id integer PRIMARY KEY, station_id integer NOT NULL, user_id character varying, status text NOT NULL,
    reviewed_by character varying, created_at timestamp
);
CREATE TABLE station_verifications (
    id integer PRIMARY KEY, station_id integer NOT NULL, user_id character varying NOT NULL, vote text NOT NULL, created_at timestamp
);
CREATE TABLE trust_events (
    id integer PRIMARY KEY, user_id character varying NOT NULL, source_user_id character varying, delta integer NOT NULL, created_at timestamp
);

INSERT INTO users
SELECT chance.person(n), 'driver' || n || '@ev.example', n % 90, timestamp '2024-01-01' + n * interval '40 seconds'
FROM generate_series(1, {users}) AS n;
INSERT INTO stations
SELECT n, 'Charge Point ' || n, CASE WHEN n % 4 > 0 THEN chance.person(chance.pick(n, 10, {users})) END, timestamp '2024-01-01' + n * interval '9 minutes'
FROM generate_series(1, {stations}) AS n;
INSERT INTO ev_vehicles SELECT n, 'Brand ' || n % 25, 'Model ' || n FROM generate_series(1, 500) AS n;
INSERT INTO user_vehicles
SELECT n, chance.person(chance.pick(n, 20, {users})), chance.pick(n, 22, 500), 'Car ' || n
FROM generate_series(1, {user_vehicles}) AS n;
INSERT INTO charging_sessions
SELECT n,
       chance.pick(n, 30, {stations}) + CASE WHEN n % 40009 = 0 THEN {stations} ELSE 0 END,
       CASE WHEN n % 10 > 0 THEN CASE WHEN n % 100003 = 1 THEN 'gone-' || n ELSE chance.person(chance.pick(n, 32, {users})) END END,
       CASE WHEN n % 10 > 2 THEN chance.pick(n, 34, {user_vehicles}) END,
       timestamp '2024-06-01' + n * interval '6 seconds',
       n % 480 / 10.0
FROM generate_series(1, {charging_sessions}) AS n;
INSERT INTO reports
SELECT n,
       chance.pick(n, 40, {stations}),
       CASE WHEN n % 7 > 0 THEN chance.person(chance.pick(n, 42, {users})) END,
       'WORKING',
       CASE WHEN n % 4 > 1 THEN chance.person(1 + n % 200) END,
       timestamp '2024-06-01' + n * interval '20 seconds'
FROM generate_series(1, {reports}) AS n;
INSERT INTO station_verifications
SELECT n, chance.pick(n, 50, {stations}), chance.person(chance.pick(n, 52, {users})), 'UP', timestamp '2024-06-01' + n * interval '12 seconds'
FROM generate_series(1, {station_verifications}) AS n;
INSERT INTO trust_events
SELECT n,
       chance.person(chance.pick(n, 60, {users})),
       CASE WHEN n % 2 = 0 THEN chance.person(chance.pick(n, 62, {users})) END,
       n % 5 - 2,
       timestamp '2024-06-01' + n * interval '12 seconds'
FROM generate_series(1, {trust_events}) AS n;
-- Unpopular ones are deleted, so that gaps lie inside the keys; their few rows stay behind. Rows of popular ones would be millions.
DELETE FROM stations WHERE id % 1009 = 0 AND id > {stations} / 2;
DELETE FROM user_vehicles WHERE id % 20011 = 0;
DROP SCHEMA chance CASCADE;
