"""Label tables in the dialects of other tools: text, columns, cells and names."""
