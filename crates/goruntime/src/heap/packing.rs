//! What of a heap is kept of a process that stands still and is too large to be copied: all that may hold
//! pointers, and of objects without any the heads of those that say something of types and of who waits.
//! Source: `runtime/chan.go` (a channel of elements without pointers stands among objects without pointers),
//! `runtime/runtime2.go` (`funcval`).

use lastgasp_inferior::{AddrRange, Memory, PagesOf};

use crate::heap::bits::word_of;
use crate::heap::objects::{HeapObjects, ObjectSpan, PointerMap};
use crate::runtime::Runtime;
use crate::types::Modules;

/// Bytes of a closure that are asked for: the address of its code.
const FUNCVAL: usize = 8;

impl HeapObjects {
    /// What stands in the pages of its spans, by address.
    #[must_use]
    pub fn pages(&self) -> Vec<PagesOf> {
        let has_pointers = |map: PointerMap, objects: u32| map != PointerMap::None && objects > 0;
        let of = |s: &ObjectSpan| PagesOf {
            range: s.range(),
            slot: s.elem_size,
            has_pointers: has_pointers(s.map, s.objects),
        };
        self.spans().iter().map(of).collect()
    }
}

/// Tells objects without pointers by their heads: channels and closures.
#[derive(Clone, Debug)]
pub struct TellingHeads {
    code: AddrRange,
    types: Modules,
    elem_type: usize,
    channel: usize,
}

impl TellingHeads {
    /// Those of a program.
    #[must_use]
    pub fn of(rt: &Runtime, mem: &dyn Memory) -> Self {
        let l = &rt.layout.hchan;
        let (elem_type, channel) = (l.elemtype as usize, l.sizeof as usize);
        Self { code: rt.module.pcs, types: Modules::read(rt, mem), elem_type, channel }
    }

    /// How many bytes of an object tell something, by its head.
    #[must_use]
    pub fn kept(&self, head: &[u8]) -> usize {
        let word = |at: usize| lastgasp_inferior::Addr(word_of(head, at / 8));
        let is_channel = head.len() >= self.channel && self.types.types_of(word(self.elem_type)).is_some();
        if is_channel {
            self.channel
        } else if head.len() > FUNCVAL && self.code.contains(word(0)) {
            FUNCVAL
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastgasp_inferior::Addr;

    #[test]
    fn channels_and_closures_tell() {
        let range = |start| AddrRange::sized(Addr(start), 0x1000);
        let heads = TellingHeads {
            code: range(0x40_0000),
            types: Modules::in_section(range(0x50_0000)),
            elem_type: 32,
            channel: 104,
        };
        let head = |words: &[(usize, u64)], len: usize| {
            let mut bytes = vec![0u8; len];
            for (at, word) in words {
                bytes[*at..at + 8].copy_from_slice(&word.to_le_bytes());
            }
            heads.kept(&bytes)
        };
        assert_eq!(head(&[(32, 0x50_0080)], 112), 104);
        assert_eq!((head(&[(32, 0x50_0080)], 96), head(&[(32, 0x60_0080)], 112), head(&[], 16)), (0, 0, 0));
        assert_eq!((head(&[(0, 0x40_0123)], 16), head(&[(8, 0x40_0123)], 16), head(&[(0, 0x40_0123)], 8)), (8, 0, 0));
    }
}
