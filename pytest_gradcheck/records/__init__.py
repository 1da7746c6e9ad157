"""The results of many checks as plain data: collected, read, merged, compared and judged."""
