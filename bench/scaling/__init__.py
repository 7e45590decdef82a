"""A made day against the scaler: what it costs, and how long jobs wait, beside other ways to scale.

Simulated time, and the scaler that the API asks: `wherry.jobs.scaling` and `wherry.jobs.demand`.
"""
