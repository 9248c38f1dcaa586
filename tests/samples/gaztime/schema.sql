-- Gas cylinders delivered to the door: customers order and subscribe, drivers deliver from pods, wallets pay.
-- Eleven foreign keys are missing. So are seven indexes: five on referencing columns and two that queries ask for
-- (subscriptions.next_delivery_date, wallet_transactions.type). Everything else is indexed as it should be.

CREATE TYPE user_role AS ENUM ('admin', 'operator', 'driver', 'support');

CREATE TYPE order_status AS ENUM ('pending', 'assigned', 'in_transit', 'delivered', 'cancelled');

CREATE TYPE txn_type AS ENUM ('deposit', 'withdrawal', 'refund');

CREATE TABLE users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL,
  email text UNIQUE,
  phone text NOT NULL,
  role user_role NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX users_phone_idx ON users (phone);

CREATE TABLE customers (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL,
  phone text NOT NULL,
  address jsonb,
  referral_code text UNIQUE,
  referred_by uuid,
  segment text NOT NULL DEFAULT 'residential',
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX customers_phone_idx ON customers (phone);

CREATE TABLE vehicles (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  registration text NOT NULL UNIQUE,
  type text NOT NULL,
  capacity integer NOT NULL,
  status text NOT NULL DEFAULT 'active'
);

CREATE TABLE drivers (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL,
  vehicle_id uuid,
  license_number text NOT NULL,
  status text NOT NULL DEFAULT 'offline',
  rating numeric(3, 2),
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX drivers_vehicle_idx ON drivers (vehicle_id);

CREATE INDEX drivers_status_idx ON drivers (status);

CREATE TABLE pods (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL,
  location jsonb NOT NULL,
  operator_id uuid,
  active boolean NOT NULL DEFAULT true
);

CREATE TABLE products (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  sku text NOT NULL UNIQUE,
  name text NOT NULL,
  price numeric(10, 2) NOT NULL,
  active boolean NOT NULL DEFAULT true
);

CREATE TABLE orders (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  reference text NOT NULL UNIQUE,
  customer_id uuid,
  driver_id uuid,
  pod_id uuid,
  items jsonb NOT NULL,
  status order_status NOT NULL DEFAULT 'pending',
  total numeric(10, 2) NOT NULL,
  delivery_address text,
  created_at timestamptz NOT NULL DEFAULT now(),
  delivered_at timestamptz
);

CREATE INDEX orders_customer_idx ON orders (customer_id);

CREATE INDEX orders_driver_idx ON orders (driver_id);

CREATE INDEX orders_status_idx ON orders (status);

CREATE INDEX orders_created_idx ON orders (created_at);

CREATE TABLE wallets (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  customer_id uuid NOT NULL,
  balance numeric(10, 2) NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX wallets_customer_idx ON wallets (customer_id);

CREATE TABLE wallet_transactions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  wallet_id uuid NOT NULL,
  type txn_type NOT NULL,
  amount numeric(10, 2) NOT NULL,
  description text,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX wallet_transactions_wallet_idx ON wallet_transactions (wallet_id);

CREATE INDEX wallet_transactions_created_idx ON wallet_transactions (created_at);

CREATE TABLE subscriptions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  customer_id uuid NOT NULL,
  product_id uuid NOT NULL,
  quantity integer NOT NULL DEFAULT 1,
  frequency_days integer NOT NULL,
  next_delivery_date date NOT NULL,
  status text NOT NULL DEFAULT 'active',
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX subscriptions_customer_idx ON subscriptions (customer_id);
