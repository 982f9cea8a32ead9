"""Asking other servers: which (`routes`), whether they live (`health`), when to ask again (`exchange`), and the I/O."""
