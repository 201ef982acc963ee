"""The demonstration: a network on real data, from training to int8, as ``refquant demo`` runs it.

Each step is a module: `data`, `network`, `training`, `schemes` (quantization), `metrics`,
`summary` (tables and report), `checkpoint` (saving); `experiment` runs them in order and `command`
prints the results. `bits` measures how few bits a weight can have.
"""
