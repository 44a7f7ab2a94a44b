//! How much of a target is copied.

/// A prefix of the list of collectors: what is copied is always what is worth most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// The runtime's numbers alone, for a look: a few hundred words.
    Numbers,
    /// The runtime's numbers and the memory profile: what names the culprit, in a tenth of the memory.
    Profile,
    /// All that there is.
    #[default]
    Whole,
}
