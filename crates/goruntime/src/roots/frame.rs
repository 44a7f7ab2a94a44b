//! Frames of a stack, as a walk for pointers sees them: where their parts are.

use lastgasp_inferior::Addr;

use crate::arch;
use crate::runtime::Runtime;

/// Where on a goroutine a pointer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StackPlace {
    /// In a frame: an address within the call that is under way in it, as
    /// [`Symbolizer::frames`](crate::Symbolizer::frames) wants it.
    Frame(Addr),
    /// In no frame: its closure, deferred calls, registers, or a stack of which the frames are not known.
    Goroutine,
}

/// Where the parts of a frame are.
pub(super) struct Frame {
    pub(super) sp: Addr,
    /// `varp`: its variables end here.
    pub(super) top: Addr,
    pub(super) return_address: Addr,
    /// `argp`.
    pub(super) arguments: Addr,
    /// An address within the call that is under way.
    pub(super) pc: Addr,
    pub(super) place: StackPlace,
}

impl Frame {
    pub(super) fn of(rt: &Runtime, sp: Addr, delta: u64, pc: Addr, exact: bool) -> Self {
        let arch = arch::of(rt.arch);
        let return_address = sp.plus(delta);
        let saved = if return_address > sp { arch.frame_pointer_size } else { 0 };
        let pc = if exact { pc } else { Addr(pc.0.saturating_sub(1)) };
        Self {
            sp,
            top: Addr(return_address.0 - saved),
            return_address,
            arguments: return_address.plus(arch.return_address_size),
            pc,
            place: StackPlace::Frame(pc),
        }
    }
}
