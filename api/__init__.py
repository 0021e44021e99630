# SPDX-License-Identifier: EUPL-1.2
"""Every way in: the faces of the HTTP API, the worker, the client, the commands. An entry decides nothing."""
