"""The node around the resolver: its interface, its rules in nftables, and the proof that conntrack is bypassed."""
