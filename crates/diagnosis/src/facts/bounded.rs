//! Lists with a most, for facts that are read back from a capture: a file that anybody may have made.
//!
//! Memory is bounded by the text and no number in it: lists whose elements take more room in memory than in
//! the text have a most. What is longer than any capture of ours is refused.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Most stacks of the memory profile, and most groups of goroutines: as many as the decoders follow.
pub(super) const MAX_SITES: usize = 1 << 20;
/// Most goroutines one by one: as many as are decoded.
pub(super) const MAX_GOROUTINES: usize = 4 << 20;
/// Most series of sites, and most values of each.
pub(super) const MAX_SERIES: usize = 1 << 12;
/// Most samples of the timeline.
pub(super) const MAX_SAMPLES: usize = 1 << 20;
/// Most of all that a capture has a few of: gaps, events, size classes, large objects.
pub(super) const MAX_FEW: usize = 1 << 16;

/// A list of at most `N` elements.
pub(super) fn at_most<'de, D: Deserializer<'de>, T: Deserialize<'de>, const N: usize>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    from.deserialize_seq(List::<T, N>(PhantomData))
}

struct List<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for List<T, N> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {N} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut out = Vec::new();
        while let Some(one) = seq.next_element()? {
            if out.len() == N {
                return Err(A::Error::invalid_length(N + 1, &self));
            }
            out.push(one);
        }
        Ok(out)
    }
}
