"""What each screen says, as functions of what builds wrote: lines and tables, without a widget."""
