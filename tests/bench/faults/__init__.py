"""What faults cost: each is brought about under steady load; what clients got, and where it ended, is written down."""
