"""Plugin discovery: entry points, local plugin folders, and descriptions of plugin classes."""
