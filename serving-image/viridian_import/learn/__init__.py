"""What the sample says of the model's features: names, ranges, categories, histograms. No input and no output."""
