# SPDX-License-Identifier: EUPL-1.2
"""The vectors of protocol §7: inputs counted up, and what must come out.

Digests are given by their first 16 bytes, as the protocol prints them.
"""

import base64

from crypto.encoding import sha256, u16, u32


def counting(first: int, size: int) -> bytes:
    """`first..` of the protocol: bytes counting up."""
    return bytes(range(first, first + size))


CUSTODIAN_MASTER = counting(0x00, 32)
GATE_MASTER = counting(0x20, 32)
XWING_SEED = "ab13c92413b17ea8510605ac806054a3099dd1522e42060259a6ced7c22771de"
KEM_DIGEST = "f127cbc3d51fa9a4d40490ec6fa03202"
SIGNING_PUBLIC = "1118e0e726d109ec195c71460de6b056"
CUSTODIAN_KID = "05e901b3817aa4f8d06da227a611d79d"
GATE_KID = "dd72a873179bec4f727dfc91a705737d"

SHARES = (
    "20" * 32,
    "808386858c8f8a89989b9e9d94979291",
    "e0e2e4e6e8eaecee",
)

POLICY_HASH = sha256(b"vector policy")
ENVELOPE_ID = counting(0xA0, 16)
CUSTODIANS_SECRET = counting(0x40, 32)
GATES_SECRET = counting(0x80, 32)
DEPOSIT_SECRET = counting(0xC0, 32)
SALT = counting(0xE0, 24)
BIDDER = "siret:21350238800019"
DOCUMENTS = (("prix.txt", b"42\n"), ("a/b.txt", b""))

CORE_HASH = "2f17a528cd304fda905cec8fef5e2ff8"
CUSTODIAN_COMMIT = "5dcca18257e8c6c64ceaa27be195b05c"
FILE_KEY = "50c3274cb92b244ec7042912ed6eca5e"
HEADER_HASH = "205d5ccb413f3530a10ace32ca0d4697"
MANIFEST_SIZE = 149
PLAINTEXT_DIGEST = "822b70b51c80662deb0aa20d383a0c06"
COMMITMENT = "278b795bd8968b1f5fcb028a65ae08d1"
FILE_SIZE = 3630
FILE_DIGEST = "53a865b5467a4fe4777b157023bf9afd"
TAG_KEY = "d737e2376752046b4e4acb65c7bd46c3"
DOCUMENTS_TAG = "36ae221dde3ab59204fc8971036623be"

WRAP_NONCE = counting(0x70, 12)
WRAP_BEHIND_NONCE = "37a6980497ecba136c031cf9fd6d9ff8"
OBJECT_KEY = counting(0x20, 32)
OBJECT_SIZE = 3702
OBJECT_DIGEST = "939aa31567f749800c3b92aa308f90aa"

HEADER = base64.b64decode(
    "pgFYINo+Ubm+l9ThB/dL2xgcUEhKaPIMI+dCXHxLGjCDzkC4AgEDUKChoqOkpaanqKmqq6ytrq8EAQUBBoKDAQGBg1AF6QGzgXqk"
    "+NBtoiemEdedWCBdzKGCV+jGxkzqonvhlbBcPMTqM9CHUGAcggg8L8+qlVkEkfslhqA301+qpMLA7g01HwcleMrJqUWqIyhtkvvy"
    "bg8GhdB9MYdLtWePVzwq3PWIlh4UgbQU2gSv3C3BOOa36LneH3KGuVSWUfk7WstRobWPRjeXr/tDcP5o+tThjZMQ8LRf9Z2ksWxC"
    "ZDln6yMRwxSBZ40ODZLHrO//MNBTzaO299FhQpB0MiWeBqv7C9lQSky4DYOvmEVw4OqjnEEA0ZMsUWXZOAlFKgyR0dycFLUV2J8U"
    "1hPfitvv5Vx119MHleQuVzKc0lmSnrYkWmrZdiT3jVH6Pp8vibDAlAk19pFSES53xyfOsB25NyTHseZXVoACRxPHlgsYnFVcGi4p"
    "tegZrvXbY29ymgseH9++CkZMM6PNixSBDaMWiCv4iUgAKbzixN0nZ2NatWlhTYzRUChlFNapXeq1gBf03zuLMm9E80Jy73zxqCZp"
    "GEQ+w9VoXxSEGU/srB3RU6iJjqLghwbG491+t5xRqppO3lnEjjZMLo+RwH4ofn74bDp9ea3gUF07c0OTA7E4f622bFzZJVTvIodz"
    "St8jjVfMhPg0Qpy/6gUcU56yJrGOSeAKScP1yTrZurRhlbaE0cill4dDYtT3w1/3yVv6CKN94rJ3wSibMrl4DArQ3/GEG3hEFtdi"
    "AMfVOBaFIiGCE6X1SJiWq0ecwODsHLbeXxU0zeoIWRMvTZM9PgHuvT+8P49zc9gkgnMLEeCpAwbd8dWN0cjINomjSs5OwLWBNod4"
    "Hoc0N8f2uWF2Acug5wDJrv2mEx/UofH0Wlv0kS0JjEM6QRifwwqKBXpq/x3o48gxnvXXOYNhUfuuFmVyLDoulk5Z6GYFCoM2ARQe"
    "wR9/AQFJEpgv3bTRBESE0Z7Qx0DW7kHKDvqylVEa9hu5Mo2UehlobDCQBqUwMoTE+frG4cEeLm7pBziXl9Zwt2Fv6Anhn46k0S//"
    "r0BnBis0yKJ/Te/ROHbSVXeqeBtCaUnHbWFgvxyMYYE88rVYNhM1HH0SSueOmQcK6Sw4F2Nr28xziIWWgzecv2gUAwX3i0jKVNLU"
    "H7JHZpAbpUdAMsYumyoxIdtfE2VRIwog5Dq1yDOYneoR0y009wravAcRK0QHuVSRSKwny06vSx3+qrwa5brtQtyMeOQPELSBUlY+"
    "k9/E8a0sH0x8NhAGCfFJNcqvmflBHVIiqv1yROVV79nDpnqol6iTlihe54Cs0PYPtHXLSs8t43PxvY9UfSMpJ2YXncuwVr/BoTCo"
    "V++OVBSicy0SkFC1W28YKN7u9i8EabwimzBdRTtHI/6eyX/pdSKNin4UD7oc9NkIkkxnxMS6Fgav4BIcm9NKNJWjudKntPiErgns"
    "AxNvgI3IUlB5tcsmcehuDWVd9wa3xVhAT0/TcuLOisiqb2RyrwNg9RPbrpf0D9l4ELpEHZ+2KLilDXp0XqwYAlBTgrPbh5XegrpQ"
    "4xpgf4vP1Gx/SUApRO08xEXka87BTAyushh42dMnBG9KRB2vU+Z8C0VEljUVd39eehjfLNlcJAeGV29LcOt9K8ksqSQD06Cctspn"
    "mCrSYjsmITKuDqsMnr0XgwIBgYNQ3XKocxeb7E9yffyRpwVzfVggOxmReTMoI0cl8YJY7Af5o1cOrAqyAPUejFt62GFLR9VZBJGK"
    "4n+9PdbRbNsovEkrSF2mGwxCIan3JPJ4pNRMh4ASAxsZGIAHDFE8bcN2Jp9KcUn6HNan5DicRnHM/fmxi8XSTae8AnIliGfpYQa2"
    "trs5E+aMjwhz31LklmM9yRpg/tn/OfaBVSCRP2F+it7BLHfgXldblBKaiEX4If0jvJ2C6UIumtihQHpnVVNyhk+DR5/9ZhCWkEfB"
    "oQzbIke1lxTOj26Rej2t+Iyjt7+vgrZxyE/7DTWLT49/Nmjwn65dmh5onOe4NcvCp4D6lzvoK4I7N3HOff0aKSUaVRMxl6Ksg9yA"
    "oTgBT5rpdsrzmVOKVvgNL0BjAWiyuKgDJbz4UvhxPA6+0y61mItsY3syTg4jbuqWtJeRRm8lPzqxbKcOMUIExRk1tQZhgLlxski3"
    "LVP3NxNSQdLk8DjDAD0uUBp6OLaAgAJ2SpHsnqwqPcO/FZMaUxZ5FEx/sPiZiEz1GMJkqE/XaF5IF6ZfnPvxwymcRFKo755PgTxu"
    "fakuxW32OXdL42Mmb7kJOLQex4C2Ft5hfZ6ytMa3kBh2WFZKazgQcHvbQtxQFoH2vcJCR0qySQpAoaRPu/ocoo2+GBHwRt4WsZNl"
    "hDrrBrZ3LNs0ujE83ANE2a6QClq9vaZfqD8m3KPi9ELZOf5AgX9woxy7E4B76FcL4aTaTnrZheiep8mined9QlIXUVwGnkAmPIpW"
    "zpj5EGDurpW2MMC89LIxGu1K7gpbffS8MkY0zY0EiFca1JjERGwyAPdDdXbf0tlJf7lCCrSVSvwB2Re6ZnAx4EyFupvK6KDx3fOa"
    "fsj1SeJEhGNNIffSlP4lOGHNK04QOpbgwTwLXZPXP50xyFyWQujHxWYdPdH4BraAWbZ6/HZu63SQMHickVZSQ0Hf+Tk38VMSz7e8"
    "42msWAdGpfr5i47Y2zdO1Fy6/z41GARJz94Cey5qdtlXv3zZSBJ8+Vs3ekJD5uP3So7hv0Xx8n/cbxa68CZLwGng2o0japLu+afC"
    "QysgwuxZuOrDCx5N5rjJ/DcvBFygNlK6/HsyT6zcB7Jfd/ZfUcWpvOGTZKQzRCd7zT0M03G55o+Q5Eo3wJKRRXowreN2gjoL5rtp"
    "tFyJjej9UlFHWiWy8Qb1PVjWGg58sONujbrvrYCWOtMfhnh6CNStODLZVj098vmmjDWTT0BbPRVqPc0fUB5LW3qwnowU5LtlusyG"
    "ntJdmjMDekJtqQ316Eb/ABA4zTxIAd2lyfwTolf5RImvZtPE48DfB/qQfngNy0T2TS2Qp07hRyvNLeS5Ur6Tut4+zHDzA+TdqmLC"
    "3nDsAB3PwQvMbBEuwXD84SL2M4j780pb2bxxOeJ6CUymrotfZOzigRpogYq+8A4PT3CJqBAXfJsDSIdUg3QpgQi1y3LmcPpStiCJ"
    "60+CDGYQbCPMWfU3hEvUlBCEBH3aUNWf4LJsWKZ8sXMOgikQj5vEu9t4nSkdAKgJQBlSV1LJHc3en/ojOmlHF6pWZI4aju5oEj3w"
    "DlX4nsL2LX9w5HlBoT1Rs+F8jTazbq/GDeE9K06UBtgpXMy2lkmKykmk/Q=="
)
FRAMED_HEADER = b"\x89TVSE\r\n\x1a" + u16(1) + u16(1) + u32(len(HEADER)) + HEADER
