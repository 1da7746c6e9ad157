"""The ways to get a derivative, one file each, all with the protocol of `methods.base`."""
