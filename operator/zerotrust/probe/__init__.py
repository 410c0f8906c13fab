"""The program in a probe pod: it tries what its plan asks and prints what it saw, one JSON line each.

It reports and never judges. Standard library and h11 only; ssl and h11 are loaded only when the plan
needs them, because every probe pod pays for its start-up.
"""
