"""The webhook: pods that opt in get lean DNS settings, and nothing it does can keep a pod from starting."""
