# SPDX-License-Identifier: EUPL-1.2
"""The phrases of prints in French."""

from vault.prints.phrases import Phrases

FRENCH = Phrases(
    months=(
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ),
    first_day="1er",
    page="page",
    bytes_word="octets",
    parts=("candidature", "offre technique", "offre financière", "identité"),
    receipt="Accusé de réception d’un pli",
    withdrawal="Accusé de retrait d’un pli",
    registration="Accusé d’enregistrement d’un pli",
    closing="Liste des plis à la clôture",
    supplementary="Liste complémentaire sur décision",
    minutes="Procès-verbal d’ouverture des plis",
    in_time=(
        "Reçu dans les délais",
        (
            "Le pli est parvenu avant la date et l’heure limites. S’il n’est ni retiré ni remplacé, il figurera sur la "
            "liste arrêtée à la clôture."
        ),
    ),
    late=(
        "Reçu hors délai",
        "Le pli est parvenu après la date et l’heure limites. Il est conservé scellé et n’est pas ouvert.",
    ),
    review=(
        "Reçu, délai à examiner",
        (
            "Les preuves de temps ne suffisent pas à dire si le pli est parvenu dans les délais. Il est conservé "
            "scellé et "
            "ne s’ouvre que sur décision signée des détenteurs de clés."
        ),
    ),
    withdrawn=(
        "Pli retiré",
        (
            "Le retrait est parvenu dans les délais. Le pli et ceux que le même soumissionnaire a déposés avant lui "
            "dans "
            "la même boîte ne seront pas ouverts."
        ),
    ),
    withdrawn_late=(
        "Retrait hors délai, sans effet",
        "Le retrait est parvenu après la date et l’heure limites. Le pli reste déposé.",
    ),
    withdrawn_review=(
        "Retrait enregistré, délai à examiner, sans effet",
        "Les preuves de temps ne suffisent pas à dire si le retrait est parvenu dans les délais. Le pli reste déposé.",
    ),
    registered=(
        "Enregistré, accusé de réception à suivre",
        (
            "Le pli a été reçu en entier et conservé. Aucune autorité d’horodatage n’ayant répondu, l’accusé de "
            "réception, qui porte le verdict sur le délai, suivra et remplacera le présent accusé d’enregistrement."
        ),
    ),
    closed=(
        "Liste arrêtée et scellée",
        "La boîte est close. Cette liste est définitive{nb}: aucun pli ne peut y être ajouté ni en être retiré.",
    ),
    opened=("Plis ouverts", "Tous les plis à ouvrir l’ont été."),
    opened_partly=(
        "Ouverture terminée, avec réserves",
        "Plis qui n’ont pas pu être ouverts{nb}: {count}. Voir la liste.",
    ),
    reasons=(
        "Le jeton d’horodatage, précision comprise, est antérieur à la date limite.",
        "Le dernier octet est parvenu avant la date limite, et le jeton moins de 30 secondes après lui.",
        "Le dernier octet et le jeton d’horodatage sont postérieurs à la date limite.",
        "Aucune des règles qui disent «{nb}dans les délais{nb}» ou «{nb}hors délai{nb}» ne s’applique.",
    ),
    test_only=("Test uniquement", "Aucune promesse de secret. Clés ou autorités de test{nb}: sans valeur probante."),
    mentions="Mentions",
    depositor="1° Déposant",
    buyer="2° Acheteur",
    consultation="3° Consultation",
    received="4° Date et heure de réception",
    began="Début du dépôt",
    deadline="Date et heure limites",
    documents="5° Documents",
    documents_line="{count} au total, {total} octets{nb}: liste détaillée ci-dessous",
    lot="Lot {lot}, {part}",
    common_lot="Commun à tous les lots, {part}",
    withdrawn_at="4° Date et heure du retrait",
    withdrawn_envelope="5° Pli retiré",
    list_heading="Liste détaillée des documents",
    number="N°",
    document="Document",
    size="Octets",
    digest="Empreinte SHA-256",
    list_note="Liste fournie par le titulaire de l’accusé et reconnue exacte, noms, tailles, empreintes et "
    "ordre, grâce "
    "à son secret de dépôt. Le coffre n’en conserve rien.",
    proved="Ce qui est prouvé, et par qui",
    proved_reception="{service} atteste par sa signature (clé {key}) avoir reçu le pli en entier, l’avoir "
    "scellé, conservé "
    "et inscrit à son journal avant de délivrer cet accusé.",
    proved_withdrawal="{service} atteste par sa signature (clé {key}) avoir reçu ce retrait et l’avoir inscrit à son "
    "journal avant de délivrer cet accusé.",
    proved_registration="{service} atteste par sa signature (clé {key}) avoir reçu le pli en entier, l’avoir scellé, "
    "conservé et inscrit à son journal.",
    proved_time=(
        "L’heure à laquelle existait le dépôt (empreinte « dépôt horodaté » ci-dessous) est certifiée, indépendamment "
        "du coffre, par{nb}: {authorities}."
    ),
    issued="Accusé délivré",
    proved_list="La liste des documents est liée à l’accusé{nb}: une autre liste, ou un autre ordre, serait refusé.",
    proved_closing="{service} atteste par sa signature (clé {key}) avoir arrêté cette liste. Le dépôt et la clôture "
    "s’excluent mutuellement{nb}: chaque pli est entièrement avant la clôture ou n’y figure pas.",
    proved_minutes="{service} atteste par sa signature (clé {key}) le déroulement de cette ouverture. Chaque "
    "pli a été "
    "comparé octet par octet à la liste arrêtée à la clôture, et chaque document à son empreinte.",
    proved_seal="Le fichier PDF porte le cachet électronique du coffre (PAdES) et un horodatage{nb}: un octet "
    "changé ou "
    "ajouté se voit.",
    secrecy="Secret du pli",
    secrecy_level="niveau {level}",
    level_words=(
        "Test uniquement. Aucune promesse de secret.",
        (
            "Scellé par le coffre, qui a lu ce pli une seule fois, en mémoire, pendant sa réception, et n’en "
            "a conservé "
            "aucune copie lisible. Depuis le {committed}, il ne peut être lu que par {k} des {n} détenteurs de clés "
            "avec le "
            "verrou temporel du coffre, après le {not_before}, jusqu’à l’ouverture de sa boîte."
        ),
    ),
    one_custodian="Attention{nb}: un seul détenteur de clé suffit à ouvrir cette boîte.",
    tokens="Horodatage",
    authority="Autorité",
    certified="Heure certifiée (UTC)",
    interval="Intervalle (UTC)",
    root="Racine (SHA-256, début)",
    tokens_note="Jetons RFC 3161 vérifiés{nb}: signature, usage, chaîne, état de révocation à l’heure certifiée. "
    "L’intervalle tient compte de la précision annoncée, une seconde à défaut.",
    identifiers="Identifiants et empreintes",
    envelope_id="Pli",
    sealed_file="Pli scellé, SHA-256",
    sealed_size="Taille du pli scellé",
    record_imprint="Dépôt horodaté, SHA-256",
    policy="Politique au dépôt",
    judged_by="Politique du verdict",
    statement="Énoncé signé",
    signed_by="Signature du coffre",
    journal_event="Journal",
    box="Boîte",
    epoch="époque {epoch}",
    root_of_list="Racine de la liste",
    closed_at="Clôture",
    count="Nombre de plis",
    entries="Plis arrêtés",
    opening="Séance",
    attempt="tentative {attempt}",
    began_at="Début",
    ended_at="Fin",
    custodians="Détenteurs de clés qui ont contribué",
    custodians_needed="{k} sur {n} nécessaires, {have} ont contribué",
    person="Personne",
    organisation="Organisme",
    envelopes="Plis",
    bidder="Soumissionnaire",
    outcome="Résultat",
    outcomes=("ouvert", "échec", "non ouvert, parts manquantes"),
    left_out="laissé scellé par l’acheteur",
    none="Aucun pli.",
    read_documents="Documents trouvés dans les plis",
    check="Vérifier ce document",
    check_text="Sans réseau ni compte, aujourd’hui ou dans trente ans, avec les racines de confiance dans un "
    "dossier{nb}:",
    trust="racines",
    check_steps="La commande relit le cachet, extrait les pièces jointes, contrôle signatures, jetons, chaînes et "
    "révocations, et dit ce qu’elle a contrôlé. Code de retour 0{nb}: conforme{nb}; 1{nb}: altéré{nb}; 2{nb}: "
    "conforme mais "
    "non prouvé.",
    attached="Pièces jointes à ce PDF",
    file="Fichier",
    content="Contenu",
    service="Service",
    service_text="{name}{nb}– {address}{nb}– téléphone {telephone}",
    file_statement="énoncé signé du coffre, qui seul fait foi",
    file_policy="politique signée, époque {epoch}",
    file_evidence="politiques, autorités, chaînes et états de révocation",
    file_list="liste arrêtée à la clôture",
    file_stamp="jeton d’horodatage RFC 3161",
    file_opening="ouverture signée",
    unshown="Les caractères que les polices de ce document n’ont pas figurent par leur numéro (‹U+4E2D›){nb}; "
    "la pièce "
    "jointe les contient tels quels.",
    rest="Et {count} de plus{nb}: ils sont tous dans la pièce jointe.",
    buyer_plain="Acheteur",
    consultation_plain="Consultation",
    boxes="Boîtes",
    policy_in_force="Politique en vigueur",
    decision="Décision",
    keyed="Clés réunies",
    key="Clé",
    unknown_person="personne hors de la politique",
    not_read="non lu",
    found_line="documents{nb}: {count} ({total} octets)",
    file_revocation="chaîne et état de révocation du jeton",
    file_closing="clôture signée",
    vault="Le coffre",
    reason_line="motif{nb}: {reason}",
)
