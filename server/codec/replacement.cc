#include "server/codec/replacement.h"

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

}  // namespace faultline
