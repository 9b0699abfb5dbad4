"""The spec format: fields, layered values with their origin, validation with positions, JSON Schema, new specs."""
