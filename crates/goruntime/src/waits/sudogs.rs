//! The lists of `sudog`s that a goroutine points to (`g.waiting`): one for each case of a `select`, one for an
//! operation on a channel; from Go 1.26 on one for a semaphore or a condition too.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use super::read_many::{each, word};
use crate::runtime::Runtime;

/// Most `sudog`s that are followed. A service of a million goroutines has two million.
pub(super) const MAX_SUDOGS: usize = 16 << 20;
/// Most cases of a `select`, which is the runtime's own bound (`selectgo`).
const MAX_CASES: usize = 1 << 16;

/// A goroutine among those that wait for an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sudog {
    pub(super) g: Addr,
    pub(super) next: Addr,
    pub(super) prev: Addr,
    /// Of a semaphore its address, of a condition that of its list; of a channel where the element is.
    pub(super) elem: Addr,
    pub(super) channel: Addr,
    pub(super) waitlink: Addr,
}

impl Sudog {
    pub(super) fn parse(rt: &Runtime, bytes: &[u8]) -> Self {
        let l = &rt.layout.sudog;
        // A collection may have hidden the first word of two.
        let at = |offset: u64| Addr(word(bytes, offset));
        Self {
            g: at(l.g),
            next: at(l.next),
            prev: at(l.prev),
            elem: at(l.elem_traced.unwrap_or(l.elem)),
            channel: at(l.c_traced.unwrap_or(l.c)),
            waitlink: at(l.waitlink),
        }
    }

    pub(super) fn read(rt: &Runtime, mem: &dyn Memory, at: Addr) -> Option<Self> {
        let bytes = mem.bytes(at, rt.layout.sudog.sizeof as usize, 1 << 12).ok()?;
        Some(Self::parse(rt, &bytes))
    }
}

/// The `sudog`s of goroutines.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// All of them by address, with the index of the goroutine. Each belongs to one.
    pub(super) all: FxHashMap<Addr, (u32, Sudog)>,
    /// Addresses by goroutine, in the order of the list.
    pub(super) of: FxHashMap<u32, Vec<Addr>>,
    /// Lists that did not end where they should.
    pub(super) broken: u64,
}

/// Follows them. Each head is the index of a goroutine, where its `g` stands, and what it points to.
pub(super) fn lists(rt: &Runtime, mem: &dyn Memory, heads: &[(u32, Addr, Addr)]) -> Lists {
    let size = rt.layout.sudog.sizeof as usize;
    let mut out = Lists::default();
    let mut front: Vec<(u32, Addr, Addr)> = heads.iter().filter(|(_, _, at)| !at.is_null()).copied().collect();
    for _ in 0..MAX_CASES {
        if front.is_empty() {
            break;
        }
        let places: Vec<Addr> = front.iter().map(|(_, _, at)| *at).collect();
        let mut behind = Vec::new();
        let mut read = 0;
        each(mem, &places, size, |i, bytes| {
            read += 1;
            let (Some((index, g, at)), sudog) = (front.get(i).copied(), Sudog::parse(rt, bytes)) else { return };
            // One that is in a list already makes a circle; one of another goroutine is no wait of this one.
            if sudog.g != g || out.all.len() >= MAX_SUDOGS || out.all.insert(at, (index, sudog)).is_some() {
                out.broken += 1;
                return;
            }
            out.of.entry(index).or_default().push(at);
            // In a semaphore's list the next is another goroutine's.
            if !sudog.channel.is_null() && !sudog.waitlink.is_null() {
                behind.push((index, g, sudog.waitlink));
            }
        });
        out.broken += (places.len() - read) as u64;
        front = behind;
    }
    out.broken += front.len() as u64;
    out
}
