"""What every renderer shows, said once; the command line, the TUI and the HTML report draw it."""
