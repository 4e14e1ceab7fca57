// Verifies anon_vmas and the chains that join them with VMAs.
#include "server/machine/verify/verifier.h"

namespace faultline::verify {

// anon_vmas and the chains that join them with VMAs, from both sides.
void Verifier::CheckAnonVmas() {
  uint64_t from_vmas = 0, from_anon_vmas = 0;
  Tally active;
  k_.vmas.ForEach([&](Id<Vma> id, const Vma& vma) {
    if (!ok()) return;
    const uint64_t chains = CheckChainsOfVma(id, vma);
    from_vmas += chains;
    if (vma.anon_vma) active[vma.anon_vma.value()]++;
  });
  Tally children, references;
  k_.anon_vmas.ForEach([&](Id<AnonVma> id, const AnonVma& av) {
    if (!ok()) return;
    if (!k_.anon_vmas.Has(av.root)) {
      return Fail("anon_vma %u has root %u, which does not exist", id.value(),
                  av.root.value());
    }
    const uint32_t chains = CheckChainsOfAnonVma(id, av);
    from_anon_vmas += chains;
    references[id.value()] += chains;
    if (av.root != id) references[av.root.value()]++;
    if (av.chains) children[av.parent.value()]++;
  });
  k_.ksm.rmap_items.ForEach([&](Id<KsmRmapItem>, const KsmRmapItem& item) {
    if (item.anon_vma) references[item.anon_vma.value()]++;
  });
  if (!ok()) return;
  k_.anon_vmas.ForEach([&](Id<AnonVma> id, const AnonVma& av) {
    const uint32_t n = id.value();
    Expect("num_active_vmas", "anon_vma", n, active[n], av.num_active_vmas);
    Expect("num_children", "anon_vma", n, children[n], av.num_children);
    Expect("refcount", "anon_vma", n, references[n], av.refcount);
  });
  Expect("chains on VMAs", "all chains, which on anon_vmas are", from_anon_vmas,
         from_anon_vmas, from_vmas);
  Expect("chains that exist", "all chains, which on VMAs are", from_vmas,
         from_vmas, k_.anon_chains.count());
}

uint64_t Verifier::CheckChainsOfVma(Id<Vma> id, const Vma& vma) {
  uint64_t chains = 0;
  bool own = !vma.anon_vma;
  Id<AnonVmaChain> prev;
  for (Id<AnonVmaChain> at = vma.anon_chain; at; chains++) {
    if (!k_.anon_chains.Has(at) || chains > k_.anon_chains.count()) {
      Fail("the anon_vma_chain of VMA %u breaks at %u", id.value(), at.value());
      return 0;
    }
    const AnonVmaChain& c = k_.anon_chains[at];
    if (c.vma != id || c.same_vma_prev != prev ||
        !k_.anon_vmas.Has(c.anon_vma)) {
      Fail("chain %u of VMA %u points to VMA %u and anon_vma %u", at.value(),
           id.value(), c.vma.value(), c.anon_vma.value());
      return 0;
    }
    own |= c.anon_vma == vma.anon_vma;
    prev = at;
    at = c.same_vma_next;
  }
  if (!own) {
    Fail("VMA %u has anon_vma %u, but no chain to it", id.value(),
         vma.anon_vma.value());
  }
  if (!vma.anon_vma && chains > 0) {
    Fail("VMA %u has %llu chains, but no anon_vma", id.value(), ull{chains});
  }
  return chains;
}

uint32_t Verifier::CheckChainsOfAnonVma(Id<AnonVma> id, const AnonVma& av) {
  uint32_t chains = 0;
  Id<AnonVmaChain> prev;
  for (Id<AnonVmaChain> at = av.chains; at; chains++) {
    if (!k_.anon_chains.Has(at) || chains > k_.anon_chains.count()) {
      Fail("the chains of anon_vma %u break at %u", id.value(), at.value());
      return 0;
    }
    const AnonVmaChain& c = k_.anon_chains[at];
    if (c.anon_vma != id || c.same_anon_prev != prev || !k_.vmas.Has(c.vma)) {
      Fail("chain %u of anon_vma %u points to anon_vma %u and VMA %u",
           at.value(), id.value(), c.anon_vma.value(), c.vma.value());
      return 0;
    }
    prev = at;
    at = c.same_anon_next;
  }
  return chains;
}

}  // namespace faultline::verify
