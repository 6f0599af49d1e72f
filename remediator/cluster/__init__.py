"""The API server: the only folder that imports ``kubernetes``.

Requests go raw (no models: lists of 10,000 pods cost seconds and gigabytes with them), each with a time-out and
without the client's silent retries, and every failure becomes one of our own errors.
What comes out are the frozen values of ``model``.
"""
