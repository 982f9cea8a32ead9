"""Who asks what: counted from samples, bounded in memory, and what it says about the settings of pods."""
