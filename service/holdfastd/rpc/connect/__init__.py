"""The Connect protocol: the methods over HTTP, for browsers and for whoever has no gRPC."""
