"""An audit as a document: to be read from the top, sent around, and acted on."""
