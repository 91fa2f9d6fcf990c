"""What came of predictions: the prediction log joined with what was learnt later."""
