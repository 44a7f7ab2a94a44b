//! A graph, held against what the next collection marked.

use std::collections::{BTreeMap, HashMap};

use lastgasp_goruntime::Mark;
use serde::Serialize;

/// What is listed one by one.
const LISTED: usize = 20;

/// An object of the first capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// First byte of its slot.
    pub start: u64,
    /// Bytes of its slot.
    pub size: u64,
    /// What the mark before says of it.
    pub mark: Mark,
    /// Whether the graph reaches it.
    pub live: bool,
    /// Whether a finalizer is set for it.
    pub finalized: bool,
    /// Whether it is a block that tiny objects share.
    pub tiny: bool,
}

/// Objects of the second capture that the collection in between kept: size by address.
pub type Marked = HashMap<u64, u64>;

/// Why the collector keeps what nothing leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It found it dead and keeps it once more, so that its finalizer may see it
    /// (`(*sweepLocked).sweep`).
    Finalizer,
    /// The block in which a P places tiny objects is marked whoever holds it (`gcMarkTinyAllocs`): one a P.
    TinyBlock,
}

impl Why {
    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Finalizer => "finalizer",
            Self::TinyBlock => "tiny",
        }
    }
}

/// What else is to be known of objects, to tell of those that are wrong.
pub trait About {
    /// Threads that may run Go code at a time: so many tiny blocks are being filled.
    fn processors(&self) -> u64;
    /// What an object is, in words.
    fn name(&self, start: u64) -> String;
    /// Of these objects those that none of them leads to.
    fn first_of(&self, starts: &[u64]) -> Vec<u64>;
}

/// Both captures compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Reached, and kept by the collection.
    pub both: u64,
    /// Not reached, and not kept: garbage, says the collector too.
    pub neither: u64,
    /// Of these what the mark before still had kept: let go of since then.
    pub let_go_before: u64,
    /// Reached, and not kept: let go of between both captures.
    pub let_go_between: u64,
    /// Not reached, and kept by the collection all the same, by why.
    pub kept: BTreeMap<Why, u64>,
    /// The same without a reason: a root or a pointer that was not seen.
    pub unexplained: u64,
    /// Reached by the graph, and found dead by the mark before: a pointer that is none.
    pub dead_and_reached: u64,
    /// The first of both, in words.
    pub listed: Vec<String>,
}

impl Verdict {
    /// What is wrong.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let counts = [
            (self.unexplained, "objects are not reached by the graph, and the next collection kept them"),
            (self.dead_and_reached, "objects are reached, and the mark before had found them dead"),
        ];
        let said = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        said.chain(self.listed.iter().cloned()).collect()
    }
}

/// Compares.
#[must_use]
pub fn judge(objects: &[Seen], marked: &Marked, about: &dyn About) -> Verdict {
    let mut out = Verdict::default();
    let (mut missed, mut dead) = (Vec::new(), Vec::new());
    let mut tiny = about.processors();
    for o in objects {
        // A slot of another size is another's.
        let kept = marked.get(&o.start) == Some(&o.size);
        match (o.live, kept) {
            (true, true) => out.both += 1,
            (true, false) => out.let_go_between += 1,
            (false, false) => {
                out.neither += 1;
                out.let_go_before += u64::from(o.mark == Mark::Marked);
            }
            // Swept since: the slot may have been given away before the mark began.
            (false, true) if o.mark == Mark::Garbage => out.neither += 1,
            (false, true) if o.finalized => *out.kept.entry(Why::Finalizer).or_default() += 1,
            (false, true) if o.tiny && tiny > 0 => {
                tiny -= 1;
                *out.kept.entry(Why::TinyBlock).or_default() += 1;
            }
            (false, true) => missed.push(o.start),
        }
        if o.live && o.mark == Mark::Garbage {
            dead.push(o.start);
        }
    }
    (out.unexplained, out.dead_and_reached) = (missed.len() as u64, dead.len() as u64);
    let first = about.first_of(&missed);
    out.listed.extend(first.iter().take(LISTED).map(|at| format!("kept: {}", about.name(*at))));
    out.listed.extend(dead.iter().take(LISTED).map(|at| format!("dead: {}", about.name(*at))));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl About for Nobody {
        fn processors(&self) -> u64 {
            1
        }
        fn name(&self, start: u64) -> String {
            format!("{start:#x}")
        }
        fn first_of(&self, starts: &[u64]) -> Vec<u64> {
            starts.to_vec()
        }
    }

    fn seen(start: u64, mark: Mark, live: bool) -> Seen {
        Seen { start, size: 32, mark, live, finalized: false, tiny: false }
    }

    #[test]
    fn what_the_next_collection_kept_must_have_been_reached() {
        let objects = [
            seen(0x100, Mark::Marked, true),
            seen(0x200, Mark::Marked, false),
            seen(0x300, Mark::New, true),
            seen(0x400, Mark::New, false),
            // A slot of another size stands there now.
            seen(0x500, Mark::Marked, false),
            Seen { finalized: true, ..seen(0x600, Mark::Marked, false) },
            Seen { tiny: true, ..seen(0x700, Mark::New, false) },
            // One P fills one block.
            Seen { tiny: true, ..seen(0x800, Mark::New, false) },
            // Swept and given away before the mark began, it may be another's.
            seen(0x900, Mark::Garbage, false),
            seen(0xa00, Mark::Garbage, true),
        ];
        let marked: Marked = [0x100, 0x400, 0x600, 0x700, 0x800, 0x900].map(|at| (at, 32)).into();
        let marked = marked.into_iter().chain([(0x500, 64)]).collect();
        let got = judge(&objects, &marked, &Nobody);
        let expected = Verdict {
            both: 1,
            neither: 3,
            let_go_before: 2,
            let_go_between: 2,
            kept: [(Why::Finalizer, 1), (Why::TinyBlock, 1)].into(),
            unexplained: 2,
            dead_and_reached: 1,
            listed: ["kept: 0x400", "kept: 0x800", "dead: 0xa00"].map(String::from).to_vec(),
        };
        assert_eq!(got, expected);
        assert_eq!(got.problems().len(), 5);
    }
}
