"""The page for people who see folders only: one renderer, shown as `STATUS.html` in the root and on `web.listen`.

`texts` and `words` say it in two languages, `past` keeps what ended, `model` decides what the page shows, `charts`
draws, `render` makes HTML of it; `live` looks at the daemon, `status_file` and `server` are the two places.
"""
