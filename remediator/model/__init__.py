"""The frozen values that travel from station to station, and the closed sets of words they use.

Nothing here does I/O, reads a clock or knows a client library; a value is made once and never changed.
Memory is in bytes, time in seconds since the epoch (UTC), durations in seconds, unless a name says otherwise.
"""
