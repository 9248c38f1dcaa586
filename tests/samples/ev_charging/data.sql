-- Rows for the EV-charging sample: the same ones at every load, no randomness and no clock.
-- Three stations are deleted half way through the history; 8 reports and 3 charging sessions stay behind.

BEGIN;

INSERT INTO users (id, email, first_name, last_name, is_admin, trust_score, trust_level, created_at, updated_at)
SELECT
  md5('driver ' || n)::uuid::text,
  'driver' || n || '@ev.example',
  (ARRAY['Noor', 'Karim', 'Salma', 'Tariq', 'Huda', 'Faris'])[1 + n % 6],
  (ARRAY['Azar', 'Mansour', 'Qasim', 'Rashed', 'Sabbagh'])[1 + n % 5],
  n <= 4,
  n * 11 % 90,
  (ARRAY['NEW', 'NORMAL', 'TRUSTED'])[1 + n * 11 % 90 / 30],
  timestamp '2025-02-10 08:00' + n * interval '19 hours',
  timestamp '2025-10-05 08:00' + n * interval '5 hours'
FROM generate_series(1, 210) AS n;

INSERT INTO sessions (sid, sess, expire)
SELECT
  md5('web session ' || n),
  jsonb_build_object('passport', jsonb_build_object('user', md5('driver ' || n * 13 % 210 + 1)::uuid::text)),
  timestamp '2026-01-25 06:00' + n * interval '23 minutes'
FROM generate_series(1, 90) AS n;

INSERT INTO stations (
  name, name_ar, lat, lng, city, address, operator, charger_type, power_kw, charger_count, available_chargers,
  status, is_hidden, added_by_user_id, created_at, updated_at
)
SELECT
  'Charge Point ' || n,
  'نقطة شحن ' || n,
  29.6 + n * 41 % 280 / 100.0,
  35.1 + n * 59 % 190 / 100.0,
  (ARRAY['Amman', 'Aqaba', 'Irbid', 'Madaba', 'Zarqa'])[1 + n % 5],
  'Ring Road ' || 2 * n,
  (ARRAY['GridOne', 'Volta Co-op', 'City Works', NULL])[1 + n % 4],
  (ARRAY['CCS2', 'GB/T', 'Type2'])[1 + n % 3],
  (ARRAY[11, 22, 60, 150])[1 + n % 4],
  1 + n % 5,
  n % 2,
  (ARRAY['OPERATIONAL', 'BUSY', 'OPERATIONAL', 'OFFLINE'])[1 + n % 4],
  n % 37 = 0,
  CASE WHEN n % 4 <> 0 THEN md5('driver ' || n * 17 % 210 + 1)::uuid::text END,
  timestamp '2025-03-01 09:00' + n * interval '31 hours',
  timestamp '2025-12-01 09:00'
FROM generate_series(1, 150) AS n;

INSERT INTO ev_vehicles (brand, model, year, battery_capacity_kwh, charger_type, max_charging_power_kw)
SELECT
  (ARRAY['Aurora', 'Borea', 'Cirrus', 'Delta'])[1 + n % 4],
  'Mark ' || 1 + n / 4,
  2019 + n % 7,
  38 + n * 7 % 55,
  (ARRAY['CCS2', 'GB/T', 'Type2'])[1 + n % 3],
  50 + n * 17 % 180
FROM generate_series(1, 48) AS n;

INSERT INTO user_vehicles (user_id, ev_vehicle_id, nickname, license_plate, is_default, created_at)
SELECT
  md5('driver ' || n * 11 % 210 + 1)::uuid::text,
  1 + n * 5 % 48,
  CASE WHEN n % 3 = 0 THEN 'Sparky ' || n END,
  CASE WHEN n % 4 <> 0 THEN 20 + n % 60 || '-' || 20000 + n * 37 END,
  n % 2 = 1,
  timestamp '2025-05-15 10:00' + n * interval '13 hours'
FROM generate_series(1, 230) AS n;

-- Stations 41, 86 and 127 are about to be deleted; everyone else uses the stations that stay.
CREATE TEMPORARY TABLE staying ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY id) - 1 AS place, id
FROM stations
WHERE id NOT IN (41, 86, 127);

INSERT INTO reports (station_id, user_id, status, reason, review_status, reviewed_by, reviewed_at, created_at)
SELECT
  staying.id,
  CASE WHEN n % 7 <> 0 THEN md5('driver ' || n * 29 % 210 + 1)::uuid::text END,
  (ARRAY['NOT_WORKING', 'WORKING', 'BUSY'])[1 + n % 3],
  CASE WHEN n % 3 = 0 THEN 'no power on plug ' || 1 + n % 2 END,
  (ARRAY['open', 'resolved', 'rejected', 'open'])[1 + n % 4],
  CASE WHEN n % 4 IN (1, 2) THEN md5('driver ' || n % 3 + 2)::uuid::text END,
  CASE WHEN n % 4 IN (1, 2) THEN timestamp '2025-08-02 12:00' + n * interval '7 hours' END,
  timestamp '2025-08-01 12:00' + n * interval '7 hours'
FROM generate_series(1, 190) AS n
JOIN staying ON staying.place = n * 23 % 147
ORDER BY n;

INSERT INTO charging_sessions (
  station_id, user_id, user_vehicle_id, start_time, end_time, is_active, duration_minutes,
  battery_start_percent, battery_end_percent, energy_kwh, created_at
)
SELECT
  staying.id,
  CASE WHEN n % 10 <> 0 THEN vehicle.user_id END,
  CASE WHEN n % 10 <> 0 AND n % 3 <> 0 THEN vehicle.id END,
  timestamp '2025-07-01 05:00' + n * interval '2 hours 10 minutes',
  CASE WHEN n % 60 <> 0 THEN timestamp '2025-07-01 05:00' + n * interval '2 hours 10 minutes' + (15 + n % 80) * interval '1 minute' END,
  n % 60 = 0,
  CASE WHEN n % 60 <> 0 THEN 15 + n % 80 END,
  8 + n % 35,
  55 + n % 45,
  n * 3 % 480 / 10.0,
  timestamp '2025-07-01 05:00' + n * interval '2 hours 10 minutes'
FROM generate_series(1, 1300) AS n
JOIN staying ON staying.place = n * 31 % 147
JOIN user_vehicles AS vehicle ON vehicle.id = n * 19 % 230 + 1
ORDER BY n;

-- What the three stations leave behind: 5 + 2 + 1 reports, 1 + 2 charging sessions, some of them anonymous.
INSERT INTO reports (station_id, user_id, status, reason, created_at)
SELECT
  station_id,
  CASE WHEN n NOT IN (3, 7) THEN md5('driver ' || n * 9)::uuid::text END,
  'NOT_WORKING',
  'nothing here any more (' || n || ')',
  timestamp '2025-12-18 17:00' + n * interval '9 hours'
FROM unnest(ARRAY[41, 41, 41, 41, 41, 86, 86, 127]) WITH ORDINALITY AS gone (station_id, n);

INSERT INTO charging_sessions (station_id, user_id, user_vehicle_id, start_time, end_time, is_active, duration_minutes, created_at)
SELECT
  gone.station_id,
  CASE WHEN n <> 2 THEN vehicle.user_id END,
  CASE WHEN n <> 2 THEN vehicle.id END,
  timestamp '2025-12-20 11:00' + n * interval '8 hours',
  timestamp '2025-12-20 11:40' + n * interval '8 hours',
  false,
  40,
  timestamp '2025-12-20 11:00' + n * interval '8 hours'
FROM unnest(ARRAY[41, 127, 127]) WITH ORDINALITY AS gone (station_id, n)
JOIN user_vehicles AS vehicle ON vehicle.id = n * 6;

DELETE FROM stations WHERE id IN (41, 86, 127);

INSERT INTO reports (station_id, user_id, status, reason, review_status, reviewed_by, reviewed_at, created_at)
SELECT
  staying.id,
  CASE WHEN n % 7 <> 0 THEN md5('driver ' || n * 29 % 210 + 1)::uuid::text END,
  (ARRAY['NOT_WORKING', 'WORKING', 'BUSY'])[1 + n % 3],
  CASE WHEN n % 3 = 0 THEN 'cable too short, bay ' || 1 + n % 4 END,
  (ARRAY['open', 'resolved', 'rejected', 'open'])[1 + n % 4],
  CASE WHEN n % 4 IN (1, 2) THEN md5('driver ' || n % 3 + 2)::uuid::text END,
  CASE WHEN n % 4 IN (1, 2) THEN timestamp '2025-12-24 12:00' + n * interval '50 minutes' END,
  timestamp '2025-12-23 12:00' + n * interval '50 minutes'
FROM generate_series(191, 380) AS n
JOIN staying ON staying.place = n * 23 % 147
ORDER BY n;

INSERT INTO charging_sessions (
  station_id, user_id, user_vehicle_id, start_time, end_time, is_active, duration_minutes,
  battery_start_percent, battery_end_percent, energy_kwh, created_at
)
SELECT
  staying.id,
  CASE WHEN n % 10 <> 0 THEN vehicle.user_id END,
  CASE WHEN n % 10 <> 0 AND n % 3 <> 0 THEN vehicle.id END,
  timestamp '2025-12-24 05:00' + n * interval '9 minutes',
  timestamp '2025-12-24 05:25' + n * interval '9 minutes',
  false,
  25,
  8 + n % 35,
  55 + n % 45,
  n * 3 % 480 / 10.0,
  timestamp '2025-12-24 05:00' + n * interval '9 minutes'
FROM generate_series(1301, 1900) AS n
JOIN staying ON staying.place = n * 31 % 147
JOIN user_vehicles AS vehicle ON vehicle.id = n * 19 % 230 + 1
ORDER BY n;

INSERT INTO station_verifications (station_id, user_id, vote, created_at)
SELECT
  staying.id,
  md5('driver ' || n * 37 % 210 + 1)::uuid::text,
  (ARRAY['WORKING', 'BUSY', 'WORKING', 'NOT_WORKING'])[1 + n % 4],
  timestamp '2025-09-12 07:00' + n * interval '3 hours'
FROM generate_series(1, 700) AS n
JOIN staying ON staying.place = n * 43 % 147
ORDER BY n;

INSERT INTO trust_events (user_id, delta, reason, station_id, created_at)
SELECT
  md5('driver ' || n * 41 % 210 + 1)::uuid::text,
  (ARRAY[3, 1, -2, 2])[1 + n % 4],
  (ARRAY['station_added', 'vote_confirmed', 'report_rejected', 'report_confirmed'])[1 + n % 4],
  CASE WHEN n % 6 <> 0 THEN staying.id END,
  timestamp '2025-09-12 07:30' + n * interval '2 hours'
FROM generate_series(1, 950) AS n
JOIN staying ON staying.place = n * 53 % 147
ORDER BY n;

COMMIT;
