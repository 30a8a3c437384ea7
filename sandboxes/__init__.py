"""Places where hostile expressions and code are worked out safely."""
