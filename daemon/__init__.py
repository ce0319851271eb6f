"""babeldrop, the watch folder that translates.

Three rings; imports point inward only (a test holds it):

ring 1, pure: decisions, no I/O, no clock, no threads, no logging
ring 2, edges: the only rooms that touch the world
ring 3, shell: what puts them together, and what people see

docs/architecture.md says what each room is for, and where to make which change.
"""

__version__ = "0.1.0"
