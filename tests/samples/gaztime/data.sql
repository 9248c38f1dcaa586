-- Rows for the gas sample: the same ones at every load, no randomness and no clock. No row is an orphan.

BEGIN;

INSERT INTO users (id, name, email, phone, role, created_at)
SELECT
  md5('gas user ' || n)::uuid,
  'Staff ' || n,
  CASE WHEN n % 5 <> 0 THEN 'staff' || n || '@gas.example' END,
  '+2760' || 5000000 + n,
  (ARRAY['operator', 'driver', 'driver', 'support', 'driver', 'admin']::user_role[])[1 + n % 6],
  timestamptz '2025-05-04 08:00+00' + n * interval '11 hours'
FROM generate_series(1, 180) AS n;

INSERT INTO vehicles (id, registration, type, capacity, status)
SELECT
  md5('gas vehicle ' || n)::uuid,
  'KZN ' || 300 + n,
  (ARRAY['truck', 'van', 'bakkie'])[1 + n % 3],
  12 + n * 5 % 30,
  CASE WHEN n % 14 = 0 THEN 'workshop' ELSE 'active' END
FROM generate_series(1, 55) AS n;

INSERT INTO products (id, sku, name, price, active)
SELECT
  md5('gas product ' || n)::uuid,
  'CYL-' || n,
  (ARRAY['3 kg', '6 kg', '9 kg', '19 kg'])[1 + n % 4] || ' cylinder, batch ' || 1 + n / 4,
  89 + n * 12,
  n % 8 <> 0
FROM generate_series(1, 28) AS n;

INSERT INTO pods (id, name, location, operator_id, active)
SELECT
  md5('gas pod ' || n)::uuid,
  'Depot ' || n,
  jsonb_build_object('lat', -29.8 + n / 200.0, 'lng', 30.9 + n / 150.0),
  CASE WHEN n % 5 <> 0 THEN md5('gas user ' || n * 6 % 180 + 1)::uuid END,
  n % 9 <> 0
FROM generate_series(1, 36) AS n;

-- A customer may have been referred by anyone who came earlier.
INSERT INTO customers (id, name, phone, address, referral_code, referred_by, segment, created_at)
SELECT
  md5('gas customer ' || n)::uuid,
  'Household ' || n,
  '+2773' || 1000000 + n * 3,
  jsonb_build_object('street', 3 * n || ' Hill Street'),
  CASE WHEN n % 6 <> 0 THEN 'FRIEND' || n END,
  CASE WHEN n > 5 AND n % 3 = 0 THEN md5('gas customer ' || 7919 % (n - 1) + 1)::uuid END,
  CASE WHEN n % 7 = 0 THEN 'business' ELSE 'residential' END,
  timestamptz '2025-06-10 06:00+00' + n * interval '3 hours'
FROM generate_series(1, 900) AS n;

INSERT INTO drivers (id, user_id, vehicle_id, license_number, status, rating, created_at)
SELECT
  md5('gas driver ' || n)::uuid,
  md5('gas user ' || n * 2)::uuid,
  CASE WHEN n % 4 <> 0 THEN md5('gas vehicle ' || n * 3 % 55 + 1)::uuid END,
  'PDP' || 70000 + n * 9,
  (ARRAY['offline', 'online', 'busy'])[1 + n % 3],
  CASE WHEN n % 10 <> 0 THEN 3.5 + n % 15 / 10.0 END,
  timestamptz '2025-06-12 06:00+00' + n * interval '9 hours'
FROM generate_series(1, 85) AS n;

INSERT INTO wallets (id, customer_id, balance, updated_at)
SELECT
  md5('gas wallet ' || n)::uuid,
  md5('gas customer ' || n)::uuid,
  n * 17 % 650,
  timestamptz '2026-01-31 20:00+00'
FROM generate_series(1, 780) AS n;

INSERT INTO wallet_transactions (id, wallet_id, type, amount, description, created_at)
SELECT
  md5('gas payment ' || n)::uuid,
  md5('gas wallet ' || n * 47 % 780 + 1)::uuid,
  (CASE WHEN n % 40 = 0 THEN 'refund' WHEN n % 3 = 0 THEN 'deposit' ELSE 'withdrawal' END)::txn_type,
  20 + n * 7 % 430,
  CASE WHEN n % 3 = 0 THEN 'cash at the depot' END,
  timestamptz '2025-08-15 05:00+00' + n * interval '50 minutes'
FROM generate_series(1, 4200) AS n;

INSERT INTO subscriptions (id, customer_id, product_id, quantity, frequency_days, next_delivery_date, status, created_at)
SELECT
  md5('gas subscription ' || n)::uuid,
  md5('gas customer ' || n * 7 % 900 + 1)::uuid,
  md5('gas product ' || n * 5 % 28 + 1)::uuid,
  1 + n % 2,
  (ARRAY[7, 10, 30])[1 + n % 3],
  date '2026-02-10' + n * 13 % 150,
  (ARRAY['active', 'active', 'active', 'paused'])[1 + n % 4],
  timestamptz '2025-10-01 05:00+00' + n * interval '90 minutes'
FROM generate_series(1, 1600) AS n;

INSERT INTO orders (
  id, reference, customer_id, driver_id, pod_id, items, status, total, delivery_address, created_at, delivered_at
)
SELECT
  md5('gas order ' || n)::uuid,
  'GT-' || 500000 + n,
  CASE WHEN n % 50 <> 0 THEN md5('gas customer ' || n * 11 % 900 + 1)::uuid END,
  CASE WHEN n % 5 <> 0 THEN md5('gas driver ' || n * 3 % 85 + 1)::uuid END,
  CASE WHEN n % 4 <> 0 THEN md5('gas pod ' || n * 7 % 36 + 1)::uuid END,
  jsonb_build_array(jsonb_build_object('sku', 'CYL-' || n % 28 + 1, 'quantity', 1 + n % 3)),
  (ARRAY['delivered', 'delivered', 'assigned', 'delivered', 'pending', 'in_transit', 'cancelled']::order_status[])[1 + n % 7],
  95 + n * 9 % 800,
  n || ' Hill Street',
  timestamptz '2025-08-20 05:00+00' + n * interval '70 minutes',
  CASE WHEN n % 7 IN (0, 1, 3) THEN timestamptz '2025-08-20 08:00+00' + n * interval '70 minutes' END
FROM generate_series(1, 3400) AS n;

COMMIT;
