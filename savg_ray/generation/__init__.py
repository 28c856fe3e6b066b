"""The bookkeeping of a sampling run, without a runner: the chain, which clips are missing, what became of each."""
