"""What a pod records after a response: metrics, traces, the prediction log; may import inference and below."""
