"""gRPC: the only place that imports grpc and the stubs. Converts, calls one use case, converts."""
