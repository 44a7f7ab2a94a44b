//! What to do about an allocation, and what that would save.
//!
//! A saving is of bytes and objects that are allocated, not of memory in use; it is reckoned only where it
//! follows from what is known, and else left open.

use lastgasp_diagnosis::facts::Amount;

use crate::escapes::{Reason, Subject};

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cure {
    /// Return the value, and not a pointer to it.
    ReturnValue,
    /// Send the value, and not a pointer to it.
    SendValue,
    /// `[]T` for `[]*T`.
    SliceOfValues,
    /// Let the caller pass the buffer that is filled.
    PassBuffer,
    /// Make the slice with the capacity that it will have.
    SizeSlice,
    /// Make the map with the number of elements that it will have.
    SizeMap,
    /// Keep the concrete type: no interface, no function value.
    KeepConcrete,
    /// Take it from a pool, and put it back.
    Pool,
    /// Leave it.
    Leave,
    /// Look at the call in the program's own code.
    LookAtCaller,
}

impl Cure {
    /// Every one.
    pub const ALL: &'static [Self] = &[
        Self::ReturnValue,
        Self::SendValue,
        Self::SliceOfValues,
        Self::PassBuffer,
        Self::SizeSlice,
        Self::SizeMap,
        Self::KeepConcrete,
        Self::Pool,
        Self::Leave,
        Self::LookAtCaller,
    ];

    /// Its name in documents.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::ReturnValue => "return-value",
            Self::SendValue => "send-value",
            Self::SliceOfValues => "slice-of-values",
            Self::PassBuffer => "pass-buffer",
            Self::SizeSlice => "size-slice",
            Self::SizeMap => "size-map",
            Self::KeepConcrete => "keep-concrete",
            Self::Pool => "pool",
            Self::Leave => "leave",
            Self::LookAtCaller => "look-at-caller",
        }
    }
}

/// What to do about a site, and what that saves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What to do.
    pub cure: Cure,
    /// The same in a sentence.
    pub sentence: String,
    /// What would not be allocated any more; `None` if that does not follow from what is known.
    pub saves: Option<Amount>,
}

/// What advice is given on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) reason: Reason,
    pub(super) subject: Option<Subject>,
    /// Whether the line is in code that can be changed.
    pub(super) is_own: bool,
    pub(super) allocated: Amount,
    /// Of all that the process allocated.
    pub(super) share: f64,
    pub(super) in_use: Amount,
    /// Objects by size, where the profile has that; else empty.
    pub(super) sizes: &'a [(u64, u64)],
}

/// Below this share of all bytes a site does not matter: with a collector that takes 25 % of the processor
/// (its bound) it is at most a four-hundredth of that.
const MATTERS: f64 = 0.01;
/// Values up to this many bytes are copied in less time than one is allocated and collected: 16 words.
const SMALL: u64 = 128;
/// Share in use above which what is allocated is kept, and not garbage soon.
const KEPT: f64 = 0.5;

pub(super) fn advise(case: &Case<'_>) -> Advice {
    let all = Some(case.allocated);
    let give =
        |cure: Cure, sentence: &str, saves: Option<Amount>| Advice { cure, sentence: sentence.to_owned(), saves };
    if case.share < MATTERS {
        return give(Cure::Leave, "leave it: it is less than a hundredth of what is allocated", None);
    }
    if !case.is_own {
        return give(
            Cure::LookAtCaller,
            "it is not your code: look at the call of it, whether it can be made less often, or given a buffer",
            None,
        );
    }
    let mean = case.allocated.bytes / case.allocated.objects.max(1);
    let is_kept = case.in_use.bytes as f64 > case.allocated.bytes as f64 * KEPT;
    let kept = || give(Cure::Leave, "leave it: most of it is kept, so it is memory in use and no garbage", None);
    match (case.reason, case.subject) {
        (Reason::Growth, _) => {
            let saves = presized(case.sizes);
            give(
                Cure::SizeSlice,
                "size the slice: make it with the capacity that it will have (make([]T, 0, n)), so it is allocated once",
                saves,
            )
        }
        (Reason::MapGrowth, _) => give(
            Cure::SizeMap,
            "size the map: make(map[K]V, n), so it does not grow step by step; where its content is the same each time build it once and share it",
            // Both kinds of maps double: what was outgrown is together as large as what stays.
            Some(Amount { bytes: case.allocated.bytes / 2, objects: case.allocated.objects / 2 }),
        ),
        _ if is_kept => kept(),
        (Reason::Returned, Some(Subject::Variable | Subject::Pointer)) if mean <= SMALL => give(
            Cure::ReturnValue,
            "return the value and not a pointer to it: copying it costs less than to allocate it",
            all,
        ),
        (Reason::Sent, _) if mean <= SMALL => {
            give(Cure::SendValue, "send the value and not a pointer to it (chan T)", all)
        }
        (Reason::InSlice, Some(Subject::Variable | Subject::Pointer)) => give(
            Cure::SliceOfValues,
            "keep values and not pointers in the slice ([]T): one array in place of an object for each element; its bytes stay",
            Some(Amount { bytes: 0, objects: case.allocated.objects }),
        ),
        // Of a size that is not known it were on the heap all the same.
        (Reason::DynamicCall, Some(Subject::MakeSlice)) => give(
            Cure::Pool,
            "keep the buffer where it can be used again (a field, a sync.Pool): what it is handed to may keep it, for all that the compiler knows",
            all,
        ),
        (Reason::SizeUnknown, _) => give(
            Cure::Pool,
            "take it from a sync.Pool and put it back; if it is returned let the caller pass the buffer",
            all,
        ),
        (Reason::DynamicCall, _) => give(
            Cure::KeepConcrete,
            "keep the concrete type where the call is made: through an interface or a function value the compiler must take the worst of what is called",
            all,
        ),
        (Reason::Boxed, _) => give(
            Cure::KeepConcrete,
            "keep the concrete type: a function that takes the value itself, and not an interface (strconv.AppendInt for fmt.Sprint)",
            all,
        ),
        (Reason::Captured, _) => give(
            Cure::KeepConcrete,
            "hand the variable to the function literal as an argument, or copy it into it: one that is captured and changed is an object of its own",
            None,
        ),
        (Reason::Joined | Reason::Converted, _) => give(
            Cure::PassBuffer,
            "write into a buffer that is used again (append to a []byte, strings.Builder with Grow), and convert once at the end",
            None,
        ),
        (
            Reason::Returned,
            Some(Subject::MakeSlice | Subject::SliceLiteral | Subject::Conversion | Subject::Concatenation),
        ) => give(
            Cure::PassBuffer,
            "let the caller pass the buffer (func AppendTo(dst []byte, ...) []byte): it can use one again",
            all,
        ),
        (Reason::Returned, Some(Subject::Map)) => give(
            Cure::Pool,
            "let the caller pass the map, cleared (clear(m)); where its content is the same each time build it once and share it",
            all,
        ),
        (Reason::Goroutine, _) => {
            give(Cure::Pool, "start fewer goroutines: so many workers that take from a channel", None)
        }
        (Reason::Kept | Reason::Stored | Reason::InMap, _) => give(
            Cure::Pool,
            "what keeps it lets it go soon: a sync.Pool, or one that its keeper owns and fills anew",
            all,
        ),
        (Reason::Unexplained, _) => {
            give(Cure::Leave, "the compiler does not say by which way it escapes: build with -m=2", None)
        }
        (Reason::Runtime, _) => give(
            Cure::LookAtCaller,
            "the runtime makes it for the call on this line: make that call less often, or give it a buffer",
            None,
        ),
        _ => give(
            Cure::Pool,
            "take it from a sync.Pool and put it back: it is as large and as short-lived as that is meant for",
            all,
        ),
    }
}

/// What is saved of a chain of ever larger arrays if the last is made at once. An array of a size is one that
/// was outgrown, unless it is the last of its chain: so of each size as many are last as there are more of it
/// than of the next.
fn presized(sizes: &[(u64, u64)]) -> Option<Amount> {
    if sizes.len() < 2 {
        return None;
    }
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    let total = sorted.iter().fold(Amount::default(), |sum, &(size, objects)| {
        sum.plus(Amount { bytes: size.saturating_mul(objects), objects })
    });
    let mut last = Amount::default();
    let mut above = 0u64;
    for &(size, objects) in sorted.iter().rev() {
        let ends = objects.saturating_sub(above);
        last = last.plus(Amount { bytes: size.saturating_mul(ends), objects: ends });
        above = above.max(objects);
    }
    Some(total.minus(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(reason: Reason, subject: Subject) -> Case<'static> {
        Case {
            reason,
            subject: Some(subject),
            is_own: true,
            allocated: Amount { bytes: 64_000, objects: 1000 },
            share: 0.3,
            in_use: Amount::default(),
            sizes: &[],
        }
    }

    #[test]
    fn advice_fits_what_is_there() {
        let cure = |c: &Case<'_>| advise(c).cure;
        let returned = case(Reason::Returned, Subject::Variable);
        assert_eq!(cure(&returned), Cure::ReturnValue);
        assert_eq!(advise(&returned).saves, Some(returned.allocated));
        assert_eq!(cure(&Case { share: 0.005, ..returned }), Cure::Leave);
        assert_eq!(cure(&Case { is_own: false, ..returned }), Cure::LookAtCaller);
        assert_eq!(cure(&Case { in_use: Amount { bytes: 60_000, objects: 900 }, ..returned }), Cure::Leave);
        let large = Case { allocated: Amount { bytes: 64_000, objects: 10 }, ..returned };
        assert_eq!(cure(&large), Cure::Pool);
        assert_eq!(cure(&case(Reason::Sent, Subject::Pointer)), Cure::SendValue);
        assert_eq!(cure(&case(Reason::DynamicCall, Subject::Variable)), Cure::KeepConcrete);
        assert_eq!(cure(&case(Reason::Returned, Subject::MakeSlice)), Cure::PassBuffer);
        assert_eq!(cure(&case(Reason::OutgrewStack, Subject::MakeSlice)), Cure::Pool);
    }

    #[test]
    fn of_a_chain_of_arrays_the_last_one_stays() {
        // Ten chains to 64 bytes, of which four went on to 128.
        let saves = presized(&[(8, 10), (16, 10), (32, 10), (64, 10), (128, 4)]).unwrap();
        let last = 6 * 64 + 4 * 128;
        assert_eq!(saves.bytes, 10 * (8 + 16 + 32 + 64) + 4 * 128 - last);
        assert_eq!(saves.objects, 44 - 10);
        assert_eq!(presized(&[(8, 10)]), None);
    }

    #[test]
    fn codes_are_each_ones_own() {
        let codes: std::collections::BTreeSet<_> = Cure::ALL.iter().map(|c| c.code()).collect();
        assert_eq!(codes.len(), Cure::ALL.len());
    }
}
