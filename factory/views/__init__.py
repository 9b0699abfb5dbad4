"""Presentation shared by the command line, the terminal interface and the HTML reports."""
