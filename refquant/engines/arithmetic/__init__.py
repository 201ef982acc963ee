"""Arithmetic as a choice on every axis, and how a record is composed from it."""
