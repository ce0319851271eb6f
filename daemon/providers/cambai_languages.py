"""CAMB.AI's languages: the built-in list, what its two language calls tell, and the tags that both become.

The list is that of the service's own client (camb-sdk 1.6.6, `types/language_enums.py`): 149 entries without
137 and 138, where the API page counts from 1 to 148. It serves until `GET /source-languages` and
`GET /target-languages` have told better. Some names are no languages of the world (AR_XA, ZH_CN_HENAN): they
have tags of their own, which nothing but the very same name of a folder finds.
"""

import re
from collections.abc import Iterable
from typing import Any

from daemon.languages import LanguageTable

Entry = tuple[int, str]
"""The id that is sent, and the service's name of a locale: `FR_FR`, `fr-fr`."""

_NAMES = """
    1=EN_US 2=AF_ZA 3=AM_ET 4=AR_AE 5=AR_BH 6=AR_DZ 7=AR_EG 8=AR_IQ 9=AR_JO 10=AR_KW 11=AR_LB 12=AR_LY 13=AR_MA
    14=AR_OM 15=AR_QA 16=AR_SA 17=AR_SY 18=AR_TN 19=AR_YE 20=AZ_AZ 21=BG_BG 22=BN_BD 23=BN_IN 24=BS_BA 25=CA_ES
    26=CS_CZ 27=CY_GB 28=DA_DK 29=DE_AT 30=DE_CH 31=DE_DE 32=EL_GR 33=EN_AU 34=EN_CA 35=EN_GB 36=EN_HK 37=EN_IE
    38=EN_IN 39=EN_KE 40=EN_NG 41=EN_NZ 42=EN_PH 43=EN_SG 44=EN_TZ 45=EN_ZA 46=ES_AR 47=ES_BO 48=ES_CL 49=ES_CO
    50=ES_CR 51=ES_CU 52=ES_DO 53=ES_EC 54=ES_ES 55=ES_GQ 56=ES_GT 57=ES_HN 58=ES_MX 59=ES_NI 60=ES_PA 61=ES_PE
    62=ES_PR 63=ES_PY 64=ES_SV 65=ES_US 66=ES_UY 67=ES_VE 68=ET_EE 69=EU_ES 70=FA_IR 71=FI_FI 72=FIL_PH 73=FR_BE
    74=FR_CA 75=FR_CH 76=FR_FR 77=GA_IE 78=GL_ES 79=GU_IN 80=HE_IL 81=HI_IN 82=HR_HR 83=HU_HU 84=HY_AM 85=ID_ID
    86=IS_IS 87=IT_IT 88=JA_JP 89=JV_ID 90=KA_GE 91=KK_KZ 92=KM_KH 93=KN_IN 94=KO_KR 95=LO_LA 96=LT_LT 97=LV_LV
    98=MK_MK 99=ML_IN 100=MN_MN 101=MR_IN 102=MS_MY 103=MT_MT 104=MY_MM 105=NB_NO 106=NE_NP 107=NL_BE 108=NL_NL
    109=PL_PL 110=PS_AF 111=PT_BR 112=PT_PT 113=RO_RO 114=RU_RU 115=SI_LK 116=SK_SK 117=SL_SI 118=SO_SO 119=SQ_AL
    120=SR_RS 121=SU_ID 122=SV_SE 123=SW_KE 124=SW_TZ 125=TA_IN 126=TA_LK 127=TA_MY 128=TA_SG 129=TE_IN 130=TH_TH
    131=TR_TR 132=UK_UA 133=UR_IN 134=UR_PK 135=UZ_UZ 136=VI_VN 139=ZH_CN 140=ZH_CN_HENAN 141=ZH_CN_LIAONING
    142=ZH_CN_SHAANXI 143=ZH_CN_SHANDONG 144=ZH_CN_SICHUAN 145=ZH_HK 146=ZH_TW 147=ZU_ZA 148=PA_IN 149=SA_IN
    150=AR_XA 151=TL_PH
"""
BUILT_IN: tuple[Entry, ...] = tuple(
    (int(number), name) for number, _, name in (e.partition("=") for e in _NAMES.split())
)

_SHORT_NAME = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")


def read_list(body: Any) -> tuple[Entry, ...]:
    """The entries of an answer `[{"id": 1, "language": "…", "short_name": "en-us"}, …]`.

    What cannot be read is left out: an answer that is something else gives no entries.
    """
    found: list[Entry] = []
    for one in body if isinstance(body, list) else []:
        number, name = (one.get("id"), one.get("short_name")) if isinstance(one, dict) else (None, None)
        if type(number) is int and number > 0 and isinstance(name, str) and _SHORT_NAME.fullmatch(name):
            found.append((number, name))
    return tuple(found)


def table(targets: Iterable[Entry], sources: Iterable[Entry], *, by_id: bool) -> LanguageTable:
    """The languages as routes are made of them: sent as their id, else as the service's locale tag.

    Only where tags are sent can the source be left to the service: its word for that is `auto`.
    """
    return LanguageTable(
        targets={_tag(name): _wire(number, name, by_id=by_id) for number, name in targets},
        sources={_tag(name): _wire(number, name, by_id=by_id) for number, name in sources},
        detects_source=not by_id,
    )


def _wire(number: int, name: str, *, by_id: bool) -> str:
    return str(number) if by_id else name.lower().replace("_", "-")


def _tag(name: str) -> str:
    """`FR_FR` and `fr-fr` are `fr-FR`, `zh_cn_henan` is `zh-CN-henan`."""
    language, *others = re.split("[-_]", name.lower())
    spelled = (one.upper() if len(one) == 2 else one.title() if len(one) == 4 else one for one in others)
    return "-".join((language, *spelled))
