//! What only other packages of a module tell: who calls a function, and what it does with what it is given.
//!
//! Packages are looked at one by one and forgotten, which keeps memory small. What a finding would have to
//! know of others is written down as a question ([`Ask`]); each package leaves the calls it makes
//! ([`Census`]); and when all were looked at, the questions are answered, and findings lowered that the
//! answer makes small.

mod answer;
mod census;

pub(crate) use answer::lower;
pub(crate) use census::{Census, called, once_at};

/// What names a function in a module: a hash of its import path, its receiver's type and its name.
pub(crate) type Key = u64;

/// A question of a finding to the packages around its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Whether all calls of this function lead back to the program's start, none of them in a loop or for a
    /// request: then what is found there happens once in a process.
    Once(Key),
    /// Whether what is called there bounds its own wait or number.
    Bounds(Vec<Key>, Bound),
}

/// How a function bounds what it is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// It makes a context with a deadline, or waits beside a timer.
    Time,
    /// It asks a limiter, a semaphore or a pool.
    Number,
}

impl Ask {
    /// Why a finding is a hint where the answer is yes.
    fn why(&self) -> &'static str {
        match self {
            Self::Once(_) => {
                "; all calls of this function that the module has lead back to the program's start, none in a loop or for a request: it happens once in a process"
            }
            Self::Bounds(_, Bound::Time) => "; what is called sets a deadline of its own: it is waited for no longer",
            Self::Bounds(_, Bound::Number) => {
                "; what is called asks a limiter before it goes on: how many wait there is bounded by that"
            }
        }
    }
}
