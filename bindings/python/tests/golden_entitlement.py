"""Golden kinds of entitlements."""
