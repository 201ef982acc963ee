"""Problems of the oracle: their base class, those known step by step, and the table of all."""
