"""The proof that ships: the daemon against kills and faults, on the administrator's own file system.

`faults` breaks what the disk does, `trials` runs one daemon after the other in child processes, `judge` says
whether anything was lost, paid twice, or shown that is not true, `matrix` is what is tried.
"""
