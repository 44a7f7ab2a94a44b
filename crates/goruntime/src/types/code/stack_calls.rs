//! Calls that are under way on stacks, each with the one in whose frame it is made: stacks that begin alike
//! share what they begin with.

use lastgasp_inferior::Addr;
use rustc_hash::{FxHashMap, FxHashSet};

/// Calls that are told apart.
const MAX_CALLS: usize = 1 << 20;

/// A call under way: in whose frame, and where it returns to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(u32);

/// All calls under way.
#[derive(Clone, Debug, Default)]
pub struct StackCalls {
    /// Of each the one around it, and where it returns to.
    all: Vec<(Option<CallId>, Addr)>,
    known: FxHashMap<(Option<CallId>, Addr), CallId>,
}

impl StackCalls {
    /// Adds a stack: where its calls return to, the innermost first. Gives the numbers of its calls in the
    /// same order; `None` of those that are too many.
    pub fn add(&mut self, stack: &[Addr]) -> Vec<Option<CallId>> {
        let mut around = None;
        let mut ids = Vec::with_capacity(stack.len());
        for returns_to in stack.iter().rev() {
            let key = (around, *returns_to);
            let id = match self.known.get(&key) {
                Some(id) => *id,
                None if self.all.len() < MAX_CALLS => {
                    let id = CallId(self.all.len() as u32);
                    self.all.push(key);
                    self.known.insert(key, id);
                    id
                }
                None => break,
            };
            ids.push(Some(id));
            around = Some(id);
        }
        ids.resize(stack.len(), None);
        ids.reverse();
        ids
    }

    /// Where all of them return to.
    pub(super) fn all_returns(&self) -> FxHashSet<Addr> {
        self.all.iter().map(|(_, at)| *at).collect()
    }

    pub(super) fn returns_to(&self, call: CallId) -> Option<Addr> {
        self.all.get(call.0 as usize).map(|(_, at)| *at)
    }

    /// The call in which a call is made.
    pub(super) fn around(&self, call: CallId) -> Option<CallId> {
        self.all.get(call.0 as usize)?.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_share_what_they_begin_with() {
        let mut calls = StackCalls::default();
        let (main, serve, read, write) = (Addr(8), Addr(16), Addr(24), Addr(32));
        let first = calls.add(&[read, serve, main]);
        let second = calls.add(&[write, serve, main]);
        assert_eq!(first[1..], second[1..]);
        assert_ne!(first[0], second[0]);
        let read = first[0].unwrap();
        assert_eq!((calls.returns_to(read), calls.around(read)), (Some(Addr(24)), first[1]));
        assert_eq!(first[2].and_then(|main| calls.around(main)), None);
        // Of a recursion each call is one.
        let deep = calls.add(&[serve, serve, main]);
        assert_eq!((deep[1], deep[0] == deep[1]), (first[1], false));
    }
}
