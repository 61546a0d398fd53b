"""Search over entities and FAQ entries as a store would: by text and by what people chose; it knows no channels."""
