"""What people wrote elsewhere: joins in views and functions, keys on partitions, tables of one family."""
