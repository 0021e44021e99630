# SPDX-License-Identifier: EUPL-1.2
"""Every problem the API answers with: its status, what happened and what to do, in English and French.

Rules
  1. A slug is stable for ever; its meaning may be worded better, never changed.
  2. Unknown, another's and not yet are one problem; so are all refusals of sealed bytes (protocol 4.12).
  3. `facts` names the typed attributes of the error that the caller may see: its own input and public limits.

Left to others: which error is which problem (api.problem_of), the answer itself (api.problems).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One type of problem."""

    slug: str
    status: int
    english: tuple[str, str]  # what happened; what to do
    french: tuple[str, str]
    facts: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The stable name of RFC 9457; it is a name, not an address."""
        return f"urn:bidvault:problem:{self.slug}"


INTERNAL = Problem(
    "internal",
    500,
    (
        "The vault failed.",
        "Nothing was acknowledged. Repeat the request later; the operator finds the fault in the log.",
    ),
    (
        "Le coffre a échoué.",
        (
            "Rien n'a fait l'objet d'un accusé de réception. Répétez la requête plus tard ; l'exploitant "
            "trouve le défaut dans son journal."
        ),
    ),
)

NOT_FOUND = Problem(
    "not-found",
    404,
    (
        "There is nothing here for you.",
        "Check the address. What belongs to others is answered like what does not exist.",
    ),
    (
        "Il n'y a rien ici pour vous.",
        "Vérifiez l'adresse. Ce qui appartient à d'autres reçoit la même réponse que ce qui n'existe pas.",
    ),
)

METHOD_NOT_ALLOWED = Problem(
    "method-not-allowed",
    405,
    ("This address does not take this method.", "See the API's description for what it takes."),
    ("Cette adresse n'accepte pas cette méthode.", "Voyez la description de l'API."),
)

INVALID_INPUT = Problem(
    "invalid-input",
    422,
    (
        "A value does not have the form it must have.",
        "Correct the fields named under `errors` and send the request again.",
    ),
    (
        "Une valeur n'a pas la forme requise.",
        "Corrigez les champs nommés sous `errors` et renvoyez la requête.",
    ),
)

TOO_MANY_BYTES = Problem(
    "too-many-bytes",
    413,
    ("The body is longer than this address takes.", "See the API's description; only deposits may be long."),
    ("Le corps dépasse ce que cette adresse accepte.", "Voyez la description de l'API ; seuls les dépôts sont longs."),
)

_OTHERS = (
    Problem(
        "unauthenticated",
        401,
        (
            "No valid token came with the request.",
            "Send `Authorization: Bearer` and a token that is issued here and not expired.",
        ),
        (
            "La requête n'est accompagnée d'aucun jeton valide.",
            "Envoyez `Authorization: Bearer` et un jeton émis ici et non expiré.",
        ),
    ),
    Problem(
        "role-not-allowed",
        403,
        (
            "This token's role may not call this address.",
            "Use a token of a role that the API's description names here.",
        ),
        (
            "Le rôle de ce jeton n'a pas accès à cette adresse.",
            "Utilisez un jeton d'un rôle que la description de l'API nomme ici.",
        ),
    ),
    Problem(
        "not-allowed",
        403,
        ("This act is not yours to do.", "Ask whoever may do it; who that is, the procedure's policy says."),
        ("Cet acte ne vous appartient pas.", "Demandez à qui en a le droit ; la politique de la procédure le dit."),
    ),
    Problem(
        "wrong-state",
        409,
        ("The act does not fit the present state.", "`needs` says what it would take."),
        ("L'acte ne convient pas à l'état présent.", "`needs` dit ce qu'il faudrait."),
        facts=("state", "needs"),
    ),
    Problem(
        "not-ready",
        409,
        ("Something that others must do first is missing.", "`missing` names it; repeat the request once it is done."),
        ("Il manque un acte que d'autres doivent accomplir.", "`missing` le nomme ; répétez la requête ensuite."),
        facts=("missing",),
    ),
    Problem(
        "too-large",
        413,
        (
            "What was announced passes a published limit.",
            "Nothing of the bid was read. Stay under `limit`, or split the deposit.",
        ),
        (
            "Ce qui est annoncé dépasse une limite publiée.",
            "Rien de l'offre n'a été lu. Restez sous `limit`, ou répartissez le dépôt.",
        ),
        facts=("what", "announced", "limit"),
    ),
    Problem(
        "deposit-limit",
        409,
        (
            "This bidder has used all deposits allowed in this box.",
            "The last one in time stands. Ask the buyer if that is wrong.",
        ),
        (
            "Ce soumissionnaire a épuisé les dépôts permis pour ce pli.",
            "Le dernier arrivé dans le délai vaut. Adressez-vous à l'acheteur en cas d'erreur.",
        ),
        facts=("limit",),
    ),
    Problem(
        "not-multipart",
        415,
        (
            "The body must be multipart/form-data with a boundary.",
            "Send the announcement first, then one part per document.",
        ),
        (
            "Le corps doit être multipart/form-data avec une délimitation.",
            "Envoyez d'abord l'annonce, puis une partie par document.",
        ),
    ),
    Problem(
        "announcement-refused",
        422,
        (
            "The announcement is not a list of documents as it must be.",
            "Send `[{path, size, sha256?}]`, at least one document, none empty. Nothing of the bid was read.",
        ),
        (
            "L'annonce n'est pas une liste de documents conforme.",
            "Envoyez `[{path, size, sha256?}]` avec au moins un document, aucun vide. Rien de l'offre n'a été lu.",
        ),
        facts=("field", "reason"),
    ),
    Problem(
        "body-malformed",
        400,
        ("The body's parts do not follow their order.", "`reason` says how. Nothing was kept; send the deposit again."),
        (
            "Les parties du corps ne suivent pas l'ordre requis.",
            "`reason` dit en quoi. Rien n'a été conservé ; renvoyez le dépôt.",
        ),
        facts=("reason",),
    ),
    Problem(
        "body-mismatch",
        422,
        ("A document is not what was announced.", "Nothing was kept. Announce what you send, and send it again."),
        (
            "Un document n'est pas celui qui était annoncé.",
            "Rien n'a été conservé. Annoncez ce que vous envoyez, et renvoyez-le.",
        ),
        facts=("path", "reason"),
    ),
    Problem(
        "body-broken",
        400,
        ("The body ended before its end.", "Nothing was kept. Send the same request again, under the same id."),
        (
            "Le corps s'est interrompu avant sa fin.",
            "Rien n'a été conservé. Renvoyez la même requête, sous le même identifiant.",
        ),
    ),
    Problem(
        "other-content",
        409,
        (
            "This id holds other content, or was withdrawn.",
            "To replace an envelope deposit under a new id; the old receipt stays good.",
        ),
        (
            "Cet identifiant porte un autre contenu, ou a été retiré.",
            "Pour remplacer un pli, déposez sous un nouvel identifiant ; l'ancien accusé reste valable.",
        ),
    ),
    Problem(
        "id-taken",
        409,
        ("This id cannot be used.", "Draw a new random one (UUIDv4) and deposit again."),
        ("Cet identifiant ne peut être utilisé.", "Tirez-en un nouveau au hasard (UUIDv4) et déposez à nouveau."),
    ),
    Problem(
        "seal-refused",
        422,
        (
            "Sealed bytes, or what was given to be sealed, do not pass their checks.",
            (
                "A file that is already a sealed envelope cannot be sealed again: send its documents. "
                "Otherwise read the file anew from where it came from."
            ),
        ),
        (
            "Des octets scellés, ou à sceller, ne satisfont pas aux contrôles.",
            (
                "Un fichier qui est déjà un pli scellé ne peut l'être à nouveau : envoyez ses documents. "
                "Sinon, reprenez le fichier à sa source."
            ),
        ),
    ),
    Problem(
        "statement-refused",
        422,
        (
            "A signed statement does not pass its checks.",
            "`code` says which. Fetch policy and opening, make the statement anew, compare the hash in the notice.",
        ),
        (
            "Une déclaration signée ne satisfait pas aux contrôles.",
            (
                "`code` dit lequel. Reprenez la politique et l'ouverture en vigueur, refaites la déclaration, "
                "et comparez l'empreinte de l'avis."
            ),
        ),
        facts=("code",),
    ),
    Problem(
        "notice-differs",
        409,
        (
            "The notice names another policy than the one that custodians rehearsed and signed: this is fraud.",
            "Do not contribute. Tell the buyer's fellow custodians by another way, and keep the printed notice.",
        ),
        (
            "L'avis nomme une autre politique que celle que les détenteurs ont répétée et signée : il y a fraude.",
            "N'apportez pas vos parts. Prévenez les autres détenteurs par une autre voie, et gardez l'avis imprimé.",
        ),
    ),
    Problem(
        "not-this-receipt",
        422,
        (
            "Receipt, evidence, list of documents and deposit secret do not belong together.",
            "Send all four as they were given; only receipts of this vault are printed here.",
        ),
        (
            "L'accusé, ses preuves, la liste des documents et le secret de dépôt ne vont pas ensemble.",
            "Envoyez les quatre tels quels ; seuls les accusés de ce coffre sont imprimés ici.",
        ),
    ),
    Problem(
        "busy",
        503,
        ("As many as may run at once are running.", "Repeat the same request in a few seconds."),
        ("Le nombre maximal de traitements simultanés est atteint.", "Répétez la même requête dans quelques secondes."),
    ),
    Problem(
        "time-unproven",
        503,
        (
            "Too few time authorities prove that the moment has come.",
            "Nothing was changed. The same request succeeds once they do; no clock of ours can replace them.",
        ),
        (
            "Trop peu d'autorités d'horodatage prouvent que le moment est venu.",
            "Rien n'a changé. La même requête aboutira quand elles le prouveront ; aucune horloge ne les remplace.",
        ),
    ),
    Problem(
        "unavailable",
        503,
        (
            "A part that the vault needs does not answer.",
            "Nothing was acknowledged. Repeat the same request; it is safe to repeat.",
        ),
        (
            "Un élément nécessaire au coffre ne répond pas.",
            "Rien n'a fait l'objet d'un accusé de réception. Répétez la même requête ; la répétition est sans risque.",
        ),
    ),
    Problem(
        "store-full",
        507,
        (
            "The store takes no more bytes.",
            "Nothing was acknowledged. Tell the operator; the same request may be repeated.",
        ),
        (
            "L'espace de stockage est plein.",
            "Rien n'a fait l'objet d'un accusé de réception. Prévenez l'exploitant ; la requête peut être répétée.",
        ),
    ),
)

PROBLEMS: Mapping[str, Problem] = {
    problem.slug: problem
    for problem in (NOT_FOUND, METHOD_NOT_ALLOWED, INVALID_INPUT, TOO_MANY_BYTES, *_OTHERS, INTERNAL)
}
