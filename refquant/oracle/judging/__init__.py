"""Whole models in other runtimes: the first layer that departs from an engine, and its rule."""
