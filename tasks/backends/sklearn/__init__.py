"""Estimators of scikit-learn. The one place that imports sklearn and skops."""
