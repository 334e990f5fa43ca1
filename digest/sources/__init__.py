"""The places that can be asked for listings, one file for each kind."""
