"""The parent: owns what has to survive (sockets, the node), and keeps workers alive in front of it."""
