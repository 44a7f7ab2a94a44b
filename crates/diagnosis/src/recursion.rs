//! A recursion each of whose levels keeps what it has allocated: the way to a site fills the recorded stack
//! with one function, and a goroutine that is inside of it has a deep stack. Pure.
//!
//! Trees are built by recursion too, and are kept by whoever asked for them. Their builders stand as deep as
//! the tree is high, which is a few dozen calls: stacks of some kilobytes.

use crate::facts::{Facts, Frame};
use crate::growth::Culprit;
use crate::owner::{frame, is_inside, is_standard_library};
use crate::thresholds::heap_growth::{MIN_STACK, MIN_TIMES};

/// A function of the program that calls itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recursion<'a> {
    /// The function.
    pub(crate) of: &'a Frame,
    /// Times that it stands in the recorded stack, which leaves off at a few dozen frames.
    pub(crate) times: u64,
    /// Bytes of the deepest stack of goroutines in it, in the mean of its group.
    pub(crate) stack_bytes: u64,
}

impl<'a> Recursion<'a> {
    /// The recursion on the way to the largest site of a culprit.
    pub(crate) fn on_the_way_to(facts: &'a Facts, culprit: &Culprit) -> Option<Self> {
        let site = facts.profile.sites.get(culprit.site)?;
        let way = || site.stack.iter().filter_map(|i| frame(facts, *i));
        // One that was recorded to its begin is no deeper than that.
        if way().next_back().is_some_and(|f| is_outermost(&f.function)) {
            return None;
        }
        let own = || way().filter(|f| !is_standard_library(&f.function, &facts.target.module.path));
        let times = |of: &Frame| own().filter(|f| f.function == of.function).count() as u64;
        // Of several that call each other in turn the innermost.
        let of = own().rev().max_by_key(|f| times(f)).filter(|f| times(f) >= MIN_TIMES)?;
        let inside = facts.goroutines.groups.iter().filter(|g| is_inside(facts, &g.stack, &of.function));
        let stack_bytes = inside.map(|g| g.stack_bytes / g.count.max(1)).max().filter(|n| *n >= MIN_STACK)?;
        Some(Self { of, times: times(of), stack_bytes })
    }
}

/// Where the stacks of a program begin.
fn is_outermost(function: &str) -> bool {
    ["runtime.main", "runtime.goexit", "main.main"].contains(&function)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Group, Site};

    fn facts(stack: &[&str], stack_bytes: u64) -> Facts {
        let of = |name: &&str| Frame { function: (*name).into(), ..Frame::default() };
        let frames: Vec<Frame> = stack.iter().map(of).collect();
        let all: Vec<u32> = (0..frames.len() as u32).collect();
        let mut facts = Facts { frames, ..Facts::default() };
        facts.profile.sites.push(Site { stack: all, ..Site::default() });
        facts.goroutines.groups.push(Group { count: 2, stack: vec![0, 1], stack_bytes, ..Group::default() });
        facts
    }

    #[test]
    fn a_recursion_fills_the_stack_of_its_site_and_its_goroutine() {
        let culprit = Culprit::default();
        let found = |f: &Facts| Recursion::on_the_way_to(f, &culprit).map(|r| (r.of.function.clone(), r.times));
        let deep: Vec<&str> = std::iter::once("main.longer").chain(std::iter::repeat_n("main.walk", 31)).collect();
        assert_eq!(found(&facts(&deep, 2 << 20)), Some(("main.walk".to_owned(), 31)));
        assert_eq!(found(&facts(&deep, 64 << 10)), None, "as deep as a tree is high");
        let whole: Vec<&str> = deep.iter().copied().chain(["main.main"]).collect();
        assert_eq!(found(&facts(&whole, 2 << 20)), None, "it was recorded to its begin");
        let in_turn: Vec<&str> = std::iter::repeat_n(["main.visit", "main.each"], 16).flatten().collect();
        assert_eq!(found(&facts(&in_turn, 2 << 20)).map(|r| r.1), Some(16));
        let library: Vec<&str> = std::iter::repeat_n("encoding/json.(*decodeState).value", 32).collect();
        assert_eq!(found(&facts(&library, 2 << 20)), None);
    }
}
