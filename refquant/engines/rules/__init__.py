"""Formulas that engines are made of, one module for each kind of step."""
