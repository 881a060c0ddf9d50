//! Calls through a linkage table.

use iced_x86::{FlowControl, Instruction};

/// The place in a linkage table that a call or jump takes its target from.
pub(super) fn slot(instruction: &Instruction) -> Option<u64> {
    let is_through = matches!(instruction.flow_control(), FlowControl::IndirectCall | FlowControl::IndirectBranch);
    (is_through && instruction.is_ip_rel_memory_operand()).then(|| instruction.ip_rel_memory_address())
}
