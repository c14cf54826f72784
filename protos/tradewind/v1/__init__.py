"""Generated messages and services of tradewind.v1 (see the .proto files beside this one)."""
