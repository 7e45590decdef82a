"""Files of pictures, sound and film: what they are, their size, their pixels; no model runtime."""
