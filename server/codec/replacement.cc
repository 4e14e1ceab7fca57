#include "server/codec/replacement.h"

#include "server/machine/mm/replacement.h"

namespace faultline {

void ReplacementFrameToProto(const ReplacementFrame& frame,
                             v1::ReplacementFrame* proto) {
  proto->set_slot(frame.slot);
  proto->set_addr(frame.addr);
  proto->set_pfn(frame.pfn);
  proto->set_accessed(frame.accessed);
  proto->set_dirty(frame.dirty);
  proto->set_loaded_at(frame.loaded_at);
  proto->set_used_at(frame.used_at);
  proto->set_uses(frame.uses);
  proto->set_age(frame.age);
}

ReplacementFrame ReplacementFrameFromProto(const v1::ReplacementFrame& proto) {
  ReplacementFrame frame;
  frame.slot = proto.slot();
  frame.addr = proto.addr();
  frame.pfn = proto.pfn();
  frame.accessed = proto.accessed();
  frame.dirty = proto.dirty();
  frame.loaded_at = proto.loaded_at();
  frame.used_at = proto.used_at();
  frame.uses = proto.uses();
  frame.age = proto.age();
  return frame;
}

void VictimWantedToProto(const VictimWanted& wanted, v1::VictimWanted* proto) {
  proto->set_address(wanted.address);
  for (const ReplacementFrame& frame : wanted.frames) {
    ReplacementFrameToProto(frame, proto->add_frames());
  }
}

void ReplacementToProto(const Kernel& k, const Mm& mm,
                        v1::GetReplacementResponse* proto) {
  const Replacement& r = k.replacements[mm.replacement];
  proto->set_policy(
      static_cast<v1::ReplacementPolicy>(static_cast<int>(r.policy) + 1));
  proto->set_frames(static_cast<uint32_t>(r.slots.size()));
  proto->set_accesses(r.accesses);
  proto->set_faults(r.faults);
  proto->set_replacements(r.replacements);
  for (const ReplacementFrame& frame : ReplacementFrames(k, mm)) {
    ReplacementFrameToProto(frame, proto->add_pages());
  }
  proto->set_hand(r.hand);
}

}  // namespace faultline
