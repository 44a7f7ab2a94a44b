//! That a goroutine seems to hold a lock, and the sign that speaks for it.

use super::verdict::Sureness;

/// A goroutine that seems to hold a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holds {
    pub(super) goroutine: u64,
    pub(super) sign: Sign,
}

/// What speaks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A deferred call that unlocks it.
    DeferredUnlock(String),
    /// A method of the type that it is part of, called by another method of that type: that one may have
    /// locked it.
    OuterMethod(String),
    /// A pointer to it in a frame of who does not wait for it.
    Pointer(String),
    /// It waits to read it behind a writer, another method of its type has locked in a line above, the lock
    /// counts no more readers than wait so, and nobody else is in a method of that type.
    ReadsAgain(String),
    /// The code of the function that has a pointer to it, and waits for it or has called what does, locks
    /// something in a line above.
    LocksAbove(String),
}

impl Holds {
    pub(super) fn sureness(&self) -> Sureness {
        match self.sign {
            Sign::DeferredUnlock(_) | Sign::ReadsAgain(_) => Sureness::Probable,
            Sign::OuterMethod(_) | Sign::Pointer(_) | Sign::LocksAbove(_) => Sureness::Possible,
        }
    }

    /// What speaks for it, in words.
    pub(super) fn sign(&self) -> String {
        match &self.sign {
            Sign::DeferredUnlock(f) => format!("a deferred call of {f} is pending in it"),
            Sign::OuterMethod(f) => format!("{f}, a method of the same type, has called the one that waits"),
            Sign::Pointer(f) => format!("{f} on its stack has a pointer to it, and does not wait for it"),
            Sign::ReadsAgain(f) => {
                format!("{f} on its stack locks in a line above, and the lock counts no other readers than such")
            }
            Sign::LocksAbove(f) => {
                format!("{f} on its stack has a pointer to it, and locks in a line above the one that it is in")
            }
        }
    }
}
