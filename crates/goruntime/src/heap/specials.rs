//! What the runtime notes of single objects beside them: that a finalizer or a cleanup waits for one, that
//! the memory profile has sampled it, that a weak pointer leads to it. Source: `runtime/mheap.go` (`special`
//! and what begins with one, `mspan.specials`).
//!
//! Every span has a list, by offset and kind. A record begins with the `special` alike whatever its kind; who
//! wants more of one reads behind it. Kinds were numbered anew in Go 1.23 and 1.25.

use lastgasp_inferior::{Addr, Memory};

use crate::gap::Gap;
use crate::heap::mspan::SPECIAL_BYTES;
use crate::heap::objects::HeapObjects;
use crate::runtime::Runtime;

/// Most records that are kept: those of a program that samples every allocation are as many as its objects.
const MAX_SPECIALS: usize = 8 << 20;
/// Records of one object at most: one of each kind, and cleanups, of which there may be several.
const MAX_PER_SLOT: u64 = 64;
/// Bytes of a record and of the word behind it, which a sampled object's has.
const WITH_WORD: usize = SPECIAL_BYTES + 8;

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpecialKind {
    /// The slot holds several tiny objects (with `GODEBUG=checkfinalizers`).
    TinyBlock,
    /// `runtime.SetFinalizer`.
    Finalizer,
    /// A weak pointer leads to it.
    WeakHandle,
    /// The memory profile sampled its allocation.
    Profile,
    /// A test of the runtime asks whether it is reachable.
    Reachable,
    /// `runtime.Pinner` holds it more than twice.
    PinCounter,
    /// `runtime.AddCleanup`.
    Cleanup,
    /// More about a finalizer or cleanup (with `GODEBUG=checkfinalizers`).
    CheckFinalizer,
    /// It is of a bubble of `testing/synctest`.
    Bubble,
    /// It is to be cleared (`runtime/secret`).
    Secret,
}

use SpecialKind::{
    Bubble, CheckFinalizer, Cleanup, Finalizer, PinCounter, Profile, Reachable, Secret, TinyBlock, WeakHandle,
};

impl SpecialKind {
    /// The kind of a number (`_KindSpecialFinalizer` and its like), which begin at 1.
    fn of(minor: u16, number: u8) -> Option<Self> {
        let kinds: &[Self] = match minor {
            ..=20 => &[Finalizer, Profile, Reachable],
            21 | 22 => &[Finalizer, Profile, Reachable, PinCounter],
            23 => &[Finalizer, WeakHandle, Profile, Reachable, PinCounter],
            24 => &[Finalizer, WeakHandle, Profile, Reachable, PinCounter, Cleanup],
            25.. => &[
                TinyBlock,
                Finalizer,
                WeakHandle,
                Profile,
                Reachable,
                PinCounter,
                Cleanup,
                CheckFinalizer,
                Bubble,
                Secret,
            ],
        };
        let known = kinds.get(usize::from(number.checked_sub(1)?)).copied();
        known.filter(|k| *k != Secret || minor >= 26)
    }
}

/// A record of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Special {
    /// The object's span: an index into [`HeapObjects::spans`].
    pub span: usize,
    /// Bytes from the span's start to what the record is of: the object's first byte, or for finalizers and
    /// cleanups of tiny objects one within the slot.
    pub offset: u64,
    /// What it is.
    pub kind: SpecialKind,
    /// Where it stands.
    pub at: Addr,
    /// The memory profile's bucket, of a sampled object: its stack is that of the allocation.
    pub bucket: Option<Addr>,
}

impl Special {
    /// The address of what it is of.
    #[must_use]
    pub fn object(&self, objects: &HeapObjects) -> Option<Addr> {
        objects.spans().get(self.span).map(|s| s.start.plus(self.offset))
    }
}

/// The records of all objects, by address.
pub fn specials(rt: &Runtime, mem: &dyn Memory, objects: &HeapObjects, gaps: &mut Vec<Gap>) -> Vec<Special> {
    let mut all = Vec::new();
    each_special(rt, mem, objects, gaps, |special| all.push(special));
    all
}

/// Calls `each` with the records of all objects, by address: those of a program that samples every allocation
/// are many, and who wants some of them need not have all.
pub fn each_special(
    rt: &Runtime,
    mem: &dyn Memory,
    objects: &HeapObjects,
    gaps: &mut Vec<Gap>,
    mut each: impl FnMut(Special),
) {
    let l = &rt.layout.special;
    let mut found = 0usize;
    let (mut broken, mut unknown) = (0u64, 0u64);
    'spans: for (index, span) in objects.spans().iter().enumerate() {
        let mut at = span.specials;
        let mut left = u64::from(span.slots).saturating_mul(MAX_PER_SLOT);
        // They stand by offset, so that a list which leads back into itself is seen at once.
        let mut before = (0, 0);
        while !at.is_null() {
            if found == MAX_SPECIALS {
                let why = format!("more than {MAX_SPECIALS} records: the rest is not read");
                gaps.push(Gap::new("specials", why));
                break 'spans;
            }
            let mut bytes = [0; WITH_WORD];
            // The last record of a chunk may have nothing behind it.
            let is_read = mem.read(at, &mut bytes).is_ok()
                || bytes.get_mut(..SPECIAL_BYTES).is_some_and(|own| mem.read(at, own).is_ok());
            if left == 0 || !is_read {
                broken += 1;
                break;
            }
            left -= 1;
            let number = |offset: u64, len: u64| {
                let mut word = [0; 8];
                let (from, len) = (offset as usize, (len as usize).min(8));
                word.get_mut(..len)?.copy_from_slice(bytes.get(from..from + len)?);
                Some(u64::from_le_bytes(word))
            };
            let (Some(next), Some(offset), Some(kind)) =
                (number(l.next, 8), number(l.offset, l.offset_sizeof), number(l.kind, 1))
            else {
                break;
            };
            if offset >= span.bytes || (offset, kind) < before {
                broken += 1;
                break;
            }
            before = (offset, kind);
            match SpecialKind::of(rt.version.minor, kind as u8) {
                Some(kind) => {
                    let bucket = number(l.bucket, 8).filter(|at| kind == Profile && *at != 0).map(Addr);
                    each(Special { span: index, offset, kind, at, bucket });
                    found += 1;
                }
                None => unknown += 1,
            }
            at = Addr(next);
        }
    }
    let mut say = |n: u64, what: &str| {
        if n > 0 {
            gaps.push(Gap::new("specials", format!("{n} {what}")));
        }
    };
    say(broken, "lists of spans could not be read to their end");
    say(unknown, "records are of no known kind");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_were_numbered_anew_twice() {
        let profile = |minor| (1..=10).find(|n| SpecialKind::of(minor, *n) == Some(Profile));
        assert_eq!([19, 22, 23, 24, 25, 27].map(profile), [Some(2), Some(2), Some(3), Some(3), Some(4), Some(4)]);
        assert_eq!((SpecialKind::of(20, 4), SpecialKind::of(21, 4)), (None, Some(PinCounter)));
        assert_eq!((SpecialKind::of(25, 10), SpecialKind::of(26, 10)), (None, Some(Secret)));
        assert_eq!((SpecialKind::of(27, 0), SpecialKind::of(27, 255)), (None, None));
    }
}
