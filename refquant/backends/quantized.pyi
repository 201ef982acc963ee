"""The documented face of `refquant.engines`: ``engine`` can be read and set."""

engine: str
supported_engines: list[str]
