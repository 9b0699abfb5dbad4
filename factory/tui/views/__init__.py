"""Screen contents as functions of run outputs: lines and tables, without widgets."""
