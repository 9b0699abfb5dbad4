"""The read side of builds: journals as runs, their outputs, specialists with versions and aliases, data profiles."""
