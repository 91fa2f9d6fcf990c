"""Whether what is served answers as it should: requests, and the answers that were written down for them."""
