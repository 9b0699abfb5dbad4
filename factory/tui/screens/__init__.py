"""The screens: each lays panels out and fills them with what its view says."""
