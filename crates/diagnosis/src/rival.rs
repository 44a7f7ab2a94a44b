//! Rivals of a cause: what else would look the same, and whether the capture tells it apart.

/// Another cause of the same picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// What it is, in a few words.
    pub cause: &'static str,
    /// Whether the evidence speaks against it.
    pub told: Told,
    /// What speaks against it; or what would tell, where nothing at hand does.
    pub because: String,
}

/// Whether a rival could be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Tested, and the evidence speaks against it.
    Apart,
    /// Not tested, or the test did not tell.
    NotApart,
}

impl Told {
    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Apart => "ruled out",
            Self::NotApart => "open",
        }
    }
}

impl Rival {
    /// A rival that the evidence speaks against.
    pub(crate) fn ruled_out(cause: &'static str, because: impl Into<String>) -> Self {
        Self { cause, told: Told::Apart, because: because.into() }
    }

    /// A rival that stands; `would_tell` says what would tell it apart.
    pub(crate) fn open(cause: &'static str, would_tell: impl Into<String>) -> Self {
        Self { cause, told: Told::NotApart, because: would_tell.into() }
    }

    /// Ruled out by what is given, or else open.
    pub(crate) fn tested(cause: &'static str, against: Option<String>, would_tell: impl Into<String>) -> Self {
        match against {
            Some(because) => Self::ruled_out(cause, because),
            None => Self::open(cause, would_tell),
        }
    }
}
