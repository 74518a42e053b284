"""Running statistics: small objects with `update` and `+` that know nothing of hooks."""
