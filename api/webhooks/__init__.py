"""Webhooks on their way out: who delivers which, and what one try says and hears.

May import core, egress and below. Knows no route: what operators ask about webhooks is in v2.
"""
