"""Terminal interface: shows what builds wrote. It never builds, so closing it changes nothing."""
