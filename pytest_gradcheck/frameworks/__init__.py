"""One folder per framework, all with the protocol of `base`."""
