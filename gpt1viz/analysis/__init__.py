"""Measurements on a model and its explanations: plain functions, arrays out."""
