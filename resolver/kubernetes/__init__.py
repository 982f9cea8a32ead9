"""What the API server is asked for: a process of its own that watches, and the pure parts that it decides with."""
