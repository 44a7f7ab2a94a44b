//! Channels. Source: `runtime/chan.go` (`hchan`): a ring of `dataqsiz` elements, of which `qcount` from
//! `recvx` on wait to be received.

use lastgasp_inferior::{Addr, Memory};

use super::budget::Broken;
use super::words::word;
use crate::runtime::Runtime;

/// Bytes of an `hchan` that are read: the last field asked for ends before.
const BYTES: usize = 64;
/// Most elements that a buffer is believed to have.
const MAX_CAPACITY: u64 = 1 << 40;

/// A channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChanHeader {
    /// Elements that wait in it.
    pub len: u64,
    /// Elements that it has room for.
    pub cap: u64,
    /// The ring.
    pub buffer: Addr,
    /// Bytes of an element.
    pub elem_bytes: u64,
    /// Where the element's type is described.
    pub elem_type: Addr,
    /// The element that is received next.
    pub first: u64,
}

impl ChanHeader {
    /// The channel at an address.
    ///
    /// # Errors
    /// [`Broken`]: it cannot be read, or is none.
    pub fn read(rt: &Runtime, mem: &dyn Memory, at: Addr) -> Result<Self, Broken> {
        let mut bytes = [0; BYTES];
        mem.read(at, &mut bytes)?;
        Self::of(rt, &bytes).ok_or(Broken::Senseless("no channel"))
    }

    /// From the first 64 bytes of an `hchan`; `None` for what is none.
    #[must_use]
    pub fn of(rt: &Runtime, bytes: &[u8]) -> Option<Self> {
        let l = &rt.layout.hchan;
        let it = Self {
            len: word(bytes, l.qcount),
            cap: word(bytes, l.dataqsiz),
            buffer: Addr(word(bytes, l.buf)),
            elem_bytes: word(bytes, l.elemsize) & 0xffff,
            elem_type: Addr(word(bytes, l.elemtype)),
            first: word(bytes, l.recvx),
        };
        (it.len <= it.cap && it.cap < MAX_CAPACITY && (it.first < it.cap || it.first == 0)).then_some(it)
    }

    /// Where the elements stand that wait, the next one first.
    pub fn waiting(&self) -> impl Iterator<Item = Addr> + use<> {
        let Self { len, cap, buffer, elem_bytes, first, .. } = *self;
        (0..len).map(move |i| buffer.plus(((first + i) % cap.max(1)).saturating_mul(elem_bytes)))
    }
}
