"""Sockets that face the pods: packets in, the engine's replies out. What a reply says is never decided here."""
