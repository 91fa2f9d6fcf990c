"""Viridian's serving pod: Triton in one container, the prediction API in the other, one image for both."""

import os

# ONNX Runtime's Linux builds report their use to Microsoft unless this is set before they are loaded, so it is set
# before anything else of ours. Triton's processes inherit it. What a user's model does stays with the user.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
