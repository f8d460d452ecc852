"""Predictions of exported networks, by onnxruntime or OpenVINO; no torch."""
