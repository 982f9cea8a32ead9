"""What a person asks a running resolver in a terminal: who asks what, and who could opt in."""
