"""The pure core: from a spec, a status and what was observed to the next status and the writes that it takes."""
