"""The side that runs where the model runs: standard library and numpy only, Python 3.8 or later."""
