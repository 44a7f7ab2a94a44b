//! Go stacks without frame pointers or DWARF: the pc-SP tables tell where the return address stands. Source: `runtime/traceback.go`.

use lastgasp_inferior::{Addr, AddrRange, Memory};

use crate::arch::RETURN_ADDRESS_SIZE;
use crate::pclntab::{Frame, Symbolizer};

/// Deepest stack we follow.
const MAX_FRAMES: usize = 2048;

/// A stack that was unwound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stack {
    /// Logical frames, innermost first.
    pub(crate) frames: Vec<Frame>,
    /// Why it ends early; `None` when it reached the function where stacks begin.
    pub(crate) cut: Option<String>,
}

/// Unwinds from `pc` and `sp`. `exact` tells that `pc` is an instruction that was about to run and not a return address.
pub(crate) fn unwind(
    symbols: &Symbolizer<'_>,
    mem: &dyn Memory,
    stack: AddrRange,
    pc: Addr,
    sp: Addr,
    exact: bool,
) -> Stack {
    let mut out = Stack::default();
    let (mut pc, mut sp, mut exact) = (pc, sp, exact);
    for _ in 0..MAX_FRAMES {
        let Some(f) = symbols.find(pc) else {
            out.cut = Some(format!("{pc} is in no Go function"));
            return out;
        };
        let lookup = if exact { pc } else { Addr(pc.0.saturating_sub(1)) };
        out.frames.extend(symbols.frames(lookup));
        if symbols.is_top_frame(f) {
            return out;
        }
        let name = symbols.name(f).unwrap_or_default();
        let Some(delta) = symbols.sp_delta(f, pc) else {
            out.cut = Some(format!("no frame size at {pc} in {name}"));
            return out;
        };
        let at = sp.plus(delta);
        if !stack.contains(at) {
            out.cut = Some(format!("the frame of {name} leaves the stack"));
            return out;
        }
        match mem.ptr(at) {
            Ok(caller) => pc = caller,
            Err(e) => {
                out.cut = Some(e.to_string());
                return out;
            }
        }
        sp = at.plus(RETURN_ADDRESS_SIZE);
        // What called asyncPreempt or sigpanic was interrupted between two instructions: its pc is no return address.
        exact = name == "runtime.asyncPreempt" || name == "runtime.sigpanic";
    }
    out.cut = Some(format!("deeper than {MAX_FRAMES} frames"));
    out
}

/// A running goroutine whose registers are not to be had: the deepest word of its stack that looks like a return address and from which the stack unwinds
/// to its very beginning. May show calls that have just returned; callers mark it as approximate.
pub(crate) fn reconstruct(symbols: &Symbolizer<'_>, mem: &dyn Memory, stack: AddrRange) -> Option<Stack> {
    const WINDOW: u64 = 64 << 10;
    let low = stack.end.0.saturating_sub(WINDOW).max(stack.start.0);
    let len = stack.end.0.checked_sub(low)? as usize;
    let words = mem.bytes(Addr(low), len, WINDOW as usize).ok()?;
    for (i, w) in words.chunks_exact(8).enumerate() {
        let pc = Addr(w.try_into().map(u64::from_le_bytes).unwrap_or(0));
        let Some(f) = symbols.find(pc) else { continue };
        if f.entry == pc || symbols.is_top_frame(f) {
            continue;
        }
        let sp = Addr(low + i as u64 * 8).plus(RETURN_ADDRESS_SIZE);
        let got = unwind(symbols, mem, stack, pc, sp, false);
        if got.cut.is_none() {
            return Some(got);
        }
    }
    None
}
