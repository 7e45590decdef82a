"""The messages of OIP v2's gRPC form, for whoever answers them and whoever asks. Needs protobuf."""
