"""The simulated services: real HTTP servers on loopback that answer as the services' documents say.

They are for the demonstration, for trying a configuration without keys or money, and for tests, which take
the sandbox's ledger as the truth about what was submitted and billed. Of the rest of the package this
folder imports `daemon.segments` alone, so that a mistake in a provider cannot hide in its own mirror.

    addresses.py      where the two origins are
    server.py         assembling the services and serving them; `serve`
    child.py          the sandbox as a child process; `start`
    service.py        what all services have in common
    azure*.py, cambai.py, doctranslate.py, gpttranslator.py, voicecheap.py   one service each: its routes, its words
    keys.py           which keys are good
    limits.py         request windows, jobs at once, sizes
    misbehave.py      the tokens in a file's name that make a service misbehave
    jobs.py           how a job looks, computed from the time that has passed
    uploads.py        multipart forms, streamed to disk
    results.py        what a download gives
    wire.py           connections that end without an answer
    ledger.py         what was seen: submissions, requests, leaked credentials
    control.py        the tests' own door: ledger, requests, leaks, outages
    localise.py       text that looks translated
    samples.py, clip.py   files to try it with
"""
