"""One module per stage kind, each with a `run(job)` that reads input folders and writes an output folder."""
