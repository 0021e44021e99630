# SPDX-License-Identifier: EUPL-1.2
"""The parts of a whole run, in the order they are measured and shown."""

from bench import ceremony, crowd, flush, opened, opening, scale, sealing, small, split, uploads, ways
from bench.parts import Part

PARTS = (
    Part("uploads", on_stage=lambda at, of: uploads.measure(at, size=of.size, pairs=of.pairs, is_long=of.is_long)),
    Part("ways", on_stage=lambda stage, of: ways.measure(stage, size=of.size, pairs=min(of.pairs, 3))),
    Part("sealing", on_stage=lambda stage, of: sealing.measure(stage, size=of.size // 2, pairs=of.pairs)),
    Part("opening", on_stage=lambda stage, of: opening.measure(stage, size=of.size // 4, pairs=of.pairs)),
    Part("small", on_stage=lambda stage, of: small.measure(stage, deposits=of.deposits, turns=of.pairs)),
    Part("flush", on_stage=lambda stage, of: flush.measure(stage, writes=4 * of.deposits, turns=of.pairs)),
    Part("split", on_stage=lambda stage, of: split.measure(stage, deposits=of.deposits)),
    Part("opened", on_stage=lambda at, of: opened.measure(at, size=of.size, pairs=min(of.pairs, 3))),
    Part("crowd", on_stage=lambda at, _: crowd.measure(at)),
    Part("ceremony", alone=lambda _: ceremony.measure()),
    Part("proofs", alone=lambda _: scale.proofs()),
    Part("scale", alone=lambda of: scale.measure(deposits=of.deposits, turns=of.pairs)),
)
