# SPDX-License-Identifier: EUPL-1.2
"""The custodian's tool: keys, rehearsals, confirmations, contributions, decisions.

`acts` makes every check and every signature from files alone (crypto and nothing else), `memory` keeps what was pinned,
`commands` talks to people and to the vault. A key can so live on a laptop that is never on the network.
"""
