"""A real network on real data, from training to int8: what ``refquant demo`` runs.

Each step is a module and reads like the chapter of a tutorial: `data`, `network`, `training`,
`quantizing`, `measuring`, `telling`; `command` puts them in order. `bits` asks how few
bits a weight can have.
"""
