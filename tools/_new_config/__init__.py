"""Steps of ``new_config.py``: data, split, backbone, schedule, text, training."""
