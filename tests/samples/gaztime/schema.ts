// The schema of the application: relations() for its queries, and not one references() for the database.
import { relations } from "drizzle-orm";
import {
  boolean,
  date,
  index,
  integer,
  jsonb,
  numeric,
  pgEnum,
  pgTable,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

export const userRole = pgEnum("user_role", ["admin", "operator", "driver", "support"]);
export const orderStatus = pgEnum("order_status", ["pending", "assigned", "in_transit", "delivered", "cancelled"]);
export const txnType = pgEnum("txn_type", ["deposit", "withdrawal", "refund"]);

export const users = pgTable(
  "users",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    name: text("name").notNull(),
    email: text("email").unique(),
    phone: text("phone").notNull(),
    role: userRole("role").notNull(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => ({
    phoneIdx: uniqueIndex("users_phone_idx").on(table.phone),
  }),
);

export const customers = pgTable(
  "customers",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    name: text("name").notNull(),
    phone: text("phone").notNull(),
    address: jsonb("address").$type<{ street: string; suburb?: string }>(),
    referralCode: text("referral_code").unique(),
    referredBy: uuid("referred_by"),
    segment: text("segment").notNull().default("residential"),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => ({
    phoneIdx: uniqueIndex("customers_phone_idx").on(table.phone),
  }),
);

export const vehicles = pgTable("vehicles", {
  id: uuid("id").primaryKey().defaultRandom(),
  registration: text("registration").notNull().unique(),
  type: text("type").notNull(),
  capacity: integer("capacity").notNull(),
  status: text("status").notNull().default("active"),
});

export const drivers = pgTable(
  "drivers",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    userId: uuid("user_id").notNull(),
    vehicleId: uuid("vehicle_id"),
    licenseNumber: text("license_number").notNull(),
    status: text("status").notNull().default("offline"),
    rating: numeric("rating", { precision: 3, scale: 2 }),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => ({
    vehicleIdx: index("drivers_vehicle_idx").on(table.vehicleId),
    statusIdx: index("drivers_status_idx").on(table.status),
  }),
);

export const pods = pgTable("pods", {
  id: uuid("id").primaryKey().defaultRandom(),
  name: text("name").notNull(),
  location: jsonb("location").notNull(),
  operatorId: uuid("operator_id"),
  active: boolean("active").notNull().default(true),
});

export const products = pgTable("products", {
  id: uuid("id").primaryKey().defaultRandom(),
  sku: text("sku").notNull().unique(),
  name: text("name").notNull(),
  price: numeric("price", { precision: 10, scale: 2 }).notNull(),
  active: boolean("active").notNull().default(true),
});

export const orders = pgTable(
  "orders",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    reference: text("reference").notNull().unique(),
    customerId: uuid("customer_id"),
    driverId: uuid("driver_id"),
    podId: uuid("pod_id"),
    items: jsonb("items").notNull(),
    status: orderStatus("status").notNull().default("pending"),
    total: numeric("total", { precision: 10, scale: 2 }).notNull(),
    deliveryAddress: text("delivery_address"),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    deliveredAt: timestamp("delivered_at", { withTimezone: true }),
  },
  (table) => ({
    customerIdx: index("orders_customer_idx").on(table.customerId),
    driverIdx: index("orders_driver_idx").on(table.driverId),
    statusIdx: index("orders_status_idx").on(table.status),
    createdIdx: index("orders_created_idx").on(table.createdAt),
  }),
);

export const wallets = pgTable(
  "wallets",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    customerId: uuid("customer_id").notNull(),
    balance: numeric("balance", { precision: 10, scale: 2 }).notNull().default("0"),
    updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => ({
    customerIdx: uniqueIndex("wallets_customer_idx").on(table.customerId),
  }),
);

export const walletTransactions = pgTable(
  "wallet_transactions",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    walletId: uuid("wallet_id").notNull(),
    type: txnType("type").notNull(),
    amount: numeric("amount", { precision: 10, scale: 2 }).notNull(),
    description: text("description"),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => ({
    walletIdx: index("wallet_transactions_wallet_idx").on(table.walletId),
    createdIdx: index("wallet_transactions_created_idx").on(table.createdAt),
  }),
);

export const subscriptions = pgTable(
  "subscriptions",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    customerId: uuid("customer_id").notNull(),
    productId: uuid("product_id").notNull(),
    quantity: integer("quantity").notNull().default(1),
    frequencyDays: integer("frequency_days").notNull(),
    nextDeliveryDate: date("next_delivery_date").notNull(),
    status: text("status").notNull().default("active"),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => ({
    customerIdx: index("subscriptions_customer_idx").on(table.customerId),
  }),
);

export const usersRelations = relations(users, ({ one, many }) => ({
  driver: one(drivers, { fields: [users.id], references: [drivers.userId] }),
  pods: many(pods),
}));

export const customersRelations = relations(customers, ({ one, many }) => ({
  referrer: one(customers, {
    fields: [customers.referredBy],
    references: [customers.id],
    relationName: "referrals",
  }),
  referrals: many(customers, { relationName: "referrals" }),
  orders: many(orders),
  wallet: one(wallets),
  subscriptions: many(subscriptions),
}));

export const driversRelations = relations(drivers, ({ one, many }) => ({
  user: one(users, { fields: [drivers.userId], references: [users.id] }),
  vehicle: one(vehicles, { fields: [drivers.vehicleId], references: [vehicles.id] }),
  orders: many(orders),
}));

export const podsRelations = relations(pods, ({ one, many }) => ({
  operator: one(users, { fields: [pods.operatorId], references: [users.id] }),
  orders: many(orders),
}));

export const ordersRelations = relations(orders, ({ one }) => ({
  customer: one(customers, { fields: [orders.customerId], references: [customers.id] }),
  driver: one(drivers, { fields: [orders.driverId], references: [drivers.id] }),
  pod: one(pods, { fields: [orders.podId], references: [pods.id] }),
}));

export const walletsRelations = relations(wallets, ({ one, many }) => ({
  customer: one(customers, { fields: [wallets.customerId], references: [customers.id] }),
  transactions: many(walletTransactions),
}));

export const walletTransactionsRelations = relations(walletTransactions, ({ one }) => ({
  wallet: one(wallets, { fields: [walletTransactions.walletId], references: [wallets.id] }),
}));

export const subscriptionsRelations = relations(subscriptions, ({ one }) => ({
  customer: one(customers, { fields: [subscriptions.customerId], references: [customers.id] }),
  product: one(products, { fields: [subscriptions.productId], references: [products.id] }),
}));
