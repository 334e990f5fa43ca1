"""From a frozen edition to the bytes of a message: pure, values in, values out.

composer.py is what the deliver stage calls; the others are its parts, by noun. Nothing here
touches a socket, the store or the clock.
"""
