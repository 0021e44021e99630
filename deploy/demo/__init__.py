# SPDX-License-Identifier: EUPL-1.2
"""The demo: one procedure from its draft to its verified package, told step by step on a vault of its own.

Rules
  1. Everything goes through the commands and the API that people have. Only the chapter of the operator looks into
     database and store: that is its subject.
  2. What must fail is tried for real, and the words of the refusal are shown. What fails to fail ends the demo.
  3. Nothing is left running, and of the vault nothing stays but what `OUT` says.

Left to others: the vault that runs (deploy.up), the command (deploy.demo_command).
"""
