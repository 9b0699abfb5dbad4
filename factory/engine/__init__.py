"""Running a plan: the build loop, the worker process, and the client that talks to it."""
