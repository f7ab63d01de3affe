"""Billing: Stripe, quota, the plan that is in force."""
