-- An EV-charging community: people report on stations, charge at them and vote on them.
-- The application checks nothing on delete and the database declares no foreign key: thirteen are missing.

CREATE TABLE users (
  id character varying PRIMARY KEY DEFAULT gen_random_uuid(),
  email character varying UNIQUE,
  first_name character varying,
  last_name character varying,
  profile_image_url character varying,
  is_admin boolean NOT NULL DEFAULT false,
  trust_score integer NOT NULL DEFAULT 0,
  trust_level character varying NOT NULL DEFAULT 'NEW',
  created_at timestamp DEFAULT now(),
  updated_at timestamp DEFAULT now()
);

-- Web sessions: the user is only named inside the JSON, so there is nothing to reference.
CREATE TABLE sessions (
  sid character varying PRIMARY KEY,
  sess jsonb NOT NULL,
  expire timestamp NOT NULL
);

CREATE INDEX "IDX_session_expire" ON sessions (expire);

CREATE TABLE stations (
  id serial PRIMARY KEY,
  name text NOT NULL,
  name_ar text,
  lat double precision NOT NULL,
  lng double precision NOT NULL,
  city text NOT NULL,
  address text,
  operator text,
  charger_type text NOT NULL,
  power_kw integer,
  charger_count integer NOT NULL DEFAULT 1,
  available_chargers integer NOT NULL DEFAULT 1,
  status text NOT NULL DEFAULT 'OPERATIONAL',
  approval_status text NOT NULL DEFAULT 'APPROVED',
  is_hidden boolean NOT NULL DEFAULT false,
  added_by_user_id character varying,
  created_at timestamp DEFAULT now(),
  updated_at timestamp DEFAULT now()
);

CREATE TABLE reports (
  id serial PRIMARY KEY,
  station_id integer NOT NULL,
  user_id character varying,
  status text NOT NULL,
  reason text,
  review_status text NOT NULL DEFAULT 'open',
  reviewed_by character varying,
  reviewed_at timestamp,
  created_at timestamp DEFAULT now()
);

CREATE TABLE ev_vehicles (
  id serial PRIMARY KEY,
  brand text NOT NULL,
  model text NOT NULL,
  year integer,
  battery_capacity_kwh real NOT NULL,
  charger_type text NOT NULL,
  max_charging_power_kw real,
  UNIQUE (brand, model, year)
);

CREATE TABLE user_vehicles (
  id serial PRIMARY KEY,
  user_id character varying NOT NULL,
  ev_vehicle_id integer NOT NULL,
  nickname text,
  license_plate text,
  is_default boolean DEFAULT false,
  created_at timestamp DEFAULT now()
);

CREATE TABLE charging_sessions (
  id serial PRIMARY KEY,
  station_id integer NOT NULL,
  user_id character varying,
  user_vehicle_id integer,
  start_time timestamp NOT NULL DEFAULT now(),
  end_time timestamp,
  is_active boolean NOT NULL DEFAULT true,
  duration_minutes integer,
  battery_start_percent integer,
  battery_end_percent integer,
  energy_kwh real,
  screenshot_path text,
  created_at timestamp DEFAULT now()
);

CREATE TABLE station_verifications (
  id serial PRIMARY KEY,
  station_id integer NOT NULL,
  user_id character varying NOT NULL,
  vote text NOT NULL,
  created_at timestamp DEFAULT now()
);

CREATE TABLE trust_events (
  id serial PRIMARY KEY,
  user_id character varying NOT NULL,
  delta integer NOT NULL,
  reason text NOT NULL,
  station_id integer,
  created_at timestamp DEFAULT now()
);
