"""The terminal interface: a pure function of what builds wrote. It never trains, and killing it changes nothing."""
