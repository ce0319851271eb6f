"""babeldrop, the watch folder that translates.

Three rings; imports point inward only (a test holds it):

ring 1, pure: decisions, no I/O, no clock, no threads, no logging
    errors  messages  job  agenda  policy  languages  stability  sidecar  segments/
ring 2, edges: the only rooms that touch the world
    clock  disk  transport  journal  folders  watcher  accounts  settings  providers/
ring 3, shell: what puts them together
    config  engine  app  log  cli   and, beside them, sandbox/ (the simulated services)
"""

__version__ = "0.1.0"
