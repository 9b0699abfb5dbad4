"""One module a kind of stage, each a function from folders to a folder: `run(job)`."""
