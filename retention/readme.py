# SPDX-License-Identifier: EUPL-1.2
"""The file that a person reads first in a package, in English and French: what lies where, how to check it."""

from retention.package import Plan

_ENGLISH = """{title}
Reference {reference}, {buyer} (SIRET {siret})
Procedure {procedure}, as of {as_of}

This is everything about the opening of these bids that can be shown: the opened documents, the sealed
envelopes they came out of with their keys, and what proves when they came, that nobody could read them
earlier, and who opened them. What was not opened is only named by digests.

plan.json                     what is in here, for programs
policies/                     the rules of the procedure, signed by everyone they name
authorities/                  roots of the time authorities, as they came (bring your own to check them)
vault/                        the vault's verification keys, as they came (bring your own)
box-N/                        one lot's part
  closing.note, closing.list  its list of envelopes, fixed and signed
  closing-request-*.tst       time tokens: deadline and settle had passed
  closing-*.tst               time tokens over the closing
  *.evidence                  certificates and revocation data received with the token or receipt beside it
  admitted-*/                 a late or reviewed envelope that the custodians admitted
  sealed.json                 envelopes that stay sealed: digests and states
  envelopes/<id>/             one opened envelope
    documents/                its documents
    envelope.tvse             the envelope as it was sealed
    envelope.key              its key: anyone can open it again
    receipt.note, receipt.evidence, receipt.tlog-proof
openings/<id>/                an opening: its text, the custodians' contributions, the gate's release, keyed, minutes
journal/                      the procedure's entries with their proofs, and the journal's signed head

To check all of it without network and without the vault:
  bidvault verify PACKAGE --trust DIRECTORY
Digests alone: sha256sum -c manifest-sha256.txt
"""

_FRENCH = """{title}
Référence {reference}, {buyer} (SIRET {siret})
Procédure {procedure}, état au {as_of}

Voici tout ce qui peut être montré de l'ouverture de ces plis : les documents ouverts, les plis scellés dont
ils sortent avec leurs clés, et ce qui prouve quand ils sont arrivés, que personne ne pouvait les lire plus tôt
et qui les a ouverts. Ce qui n'a pas été ouvert n'est nommé que par ses empreintes.

plan.json                     le contenu, pour les programmes
policies/                     les règles de la procédure, signées par tous ceux qu'elles nomment
authorities/                  racines des autorités d'horodatage, telles que reçues (apportez les vôtres)
vault/                        clés de vérification du coffre, telles que reçues (apportez les vôtres)
box-N/                        une partie d'un lot
  closing.note, closing.list  sa liste de plis, figée et signée
  closing-request-*.tst       jetons d'horodatage : la date limite et le délai étaient passés
  closing-*.tst               jetons d'horodatage de la clôture
  *.evidence                  certificats et données de révocation reçus avec le jeton ou l'accusé voisin
  admitted-*/                 un pli tardif ou à examiner, admis par les détenteurs de clés
  sealed.json                 plis qui restent scellés : empreintes et états
  envelopes/<id>/             un pli ouvert
    documents/                ses documents
    envelope.tvse             le pli tel qu'il a été scellé
    envelope.key              sa clé : chacun peut le rouvrir
    receipt.note, receipt.evidence, receipt.tlog-proof
openings/<id>/                une ouverture : texte, contributions, libération par le verrou, clés, procès-verbal
journal/                      les écritures de la procédure avec leurs preuves, et la tête signée du journal

Pour tout vérifier sans réseau et sans le coffre :
  bidvault verify PAQUET --trust RÉPERTOIRE
Les empreintes seules : sha256sum -c manifest-sha256.txt
"""

READ_MES = {"en": _ENGLISH, "fr": _FRENCH}


def read_me(plan: Plan, language: str) -> bytes:
    """The text for one package."""
    return (
        READ_MES[language]
        .format(
            title=plan.title,
            reference=plan.reference,
            buyer=plan.buyer,
            siret=plan.siret,
            procedure=plan.procedure,
            as_of=plan.as_of,
        )
        .encode()
    )
