"""The screens: each arranges panels and fills them from its view."""
