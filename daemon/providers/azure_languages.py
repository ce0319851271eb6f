"""Azure's language codes by BCP 47 tag, from the service's page "Translator language support" (2025).

Most codes are tags. Where one means another language than the tag of that name does, the tag decides: folders
are named after languages, and a wrong one costs money.
"""

_SAME = """
    af sq am ar hy as az bn ba eu bho brx bs bg yue ca hne lzh zh-Hans zh-Hant sn hr cs da dv doi nl en et fo fj
    fil fi fr gl ka de el gu ht ha he hi mww hu is ig id ikt iu iu-Latn ga it ja kn ks kk km rw tlh-Latn tlh-Piqd
    gom ko kmr ky lo lv lt ln dsb mk mai mg ms ml mt mni mi mr mn-Cyrl mn-Mong my ne nb or ps fa pl pa otq ro ru
    sm sr-Cyrl sr-Latn st nso tn sd si sk sl so es sw sv ty ta tt te th bo ti to tr tk uk hsb ur ug uz vi cy xh
    yo yua zu
"""

# BCP 47 tag -> what is sent.
TARGETS = {tag: tag for tag in _SAME.split()} | {
    "ckb": "ku",  # the service's ku is Central Kurdish; the tag ku is mostly read as the Northern one (kmr)
    "fa-AF": "prs",
    "prs": "prs",
    "fr-CA": "fr-ca",
    "lg": "lug",
    "lug": "lug",
    "ny": "nya",
    "nya": "nya",
    "pt-BR": "pt",  # "Language code `pt` defaults to `pt-br`"
    "pt-PT": "pt-pt",
    "rn": "run",
}
