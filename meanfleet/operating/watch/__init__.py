"""`meanfleet watch`: what the nodes say in diagnostics, put together and shown."""
