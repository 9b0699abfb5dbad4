"""HTML reports: of a run, of the rows of a spec, and the reference of plugin kinds."""
