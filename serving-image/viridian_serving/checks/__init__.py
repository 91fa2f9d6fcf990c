"""Whether what is served answers as it should: golden requests, a load, and a schema that takes what it took before."""
