//! Recursion: stacks in which a function stands very often, told in few frames.

use lastgasp_diagnosis::facts::{Frame, Repeat};
use rustc_hash::FxHashMap;

/// A stack in which a function recurs, each frame once: what is called by the recursion, the frames of the
/// recursion in the order of their names, what called it. So goroutines that are in one recursion are one
/// group however deep each of them is, and the group has the same key in every capture. Others stay as they
/// are.
pub(crate) fn folded(stack: Vec<u32>, frames: &[Frame]) -> (Vec<u32>, Option<Repeat>) {
    /// Times from which on it is recursion: handlers that wrap each other repeat a few times.
    const RECURSION: u64 = 16;
    let function = |i: u32| frames.get(i as usize).map_or("", |f| f.function.as_str());
    let mut functions: FxHashMap<&str, u64> = FxHashMap::default();
    let mut times: FxHashMap<u32, u64> = FxHashMap::default();
    for i in &stack {
        *functions.entry(function(*i)).or_default() += 1;
        *times.entry(*i).or_default() += 1;
    }
    // Of several with the same number the innermost.
    let most = stack.iter().rev().max_by_key(|i| (functions.get(function(**i)), times.get(*i))).copied();
    let Some(repeat) = most
        .map(|frame| Repeat { frame, times: functions.get(function(frame)).copied().unwrap_or(0) })
        .filter(|r| r.times >= RECURSION)
    else {
        return (stack, None);
    };
    let again = |i: &u32| times.get(i).is_some_and(|n| *n > 1);
    let first = stack.iter().position(again).unwrap_or(0);
    let (inner, outer) = stack.split_at(first);
    let mut recursion: Vec<u32> = times.iter().filter(|(_, n)| **n > 1).map(|(i, _)| *i).collect();
    recursion.sort_unstable_by_key(|i| frames.get(*i as usize).map(|f| (&f.function, &f.file, f.line)));
    let outer = outer.iter().copied().filter(|i| !again(i));
    (inner.iter().copied().chain(recursion).chain(outer).collect(), Some(repeat))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of `a.f:1`, `a.f:2`, `a.g:1`, `a.h:1`, `a.k:1`.
    fn frames() -> Vec<Frame> {
        let frame = |function: &str, line| Frame { function: function.into(), file: "a.go".into(), line };
        vec![frame("a.f", 1), frame("a.f", 2), frame("a.g", 1), frame("a.h", 1), frame("a.k", 1)]
    }

    #[test]
    fn what_does_not_recur_stays_as_it_is() {
        for stack in [vec![], vec![3, 2, 1, 0], [3].into_iter().chain([2; 15]).collect()] {
            assert_eq!(folded(stack.clone(), &frames()), (stack, None));
        }
    }

    #[test]
    fn a_recursion_has_each_frame_once_in_one_order() {
        // By two lines of one function: left and right of a tree.
        for cycle in [&[0, 1][..], &[1, 0], &[1, 1, 0]] {
            let stack: Vec<u32> = [4].into_iter().chain(cycle.iter().copied().cycle().take(60)).chain([3, 2]).collect();
            let (short, repeat) = folded(stack, &frames());
            assert_eq!(short, [4, 0, 1, 3, 2], "{cycle:?}");
            assert_eq!(repeat.map(|r| r.times), Some(60), "the function, not the line");
        }
        // Mutual, the one more often than the other; and one that stands within it once.
        let stack: Vec<u32> =
            [2, 2, 3].into_iter().cycle().take(30).chain([4]).chain([2, 2, 3].into_iter().cycle().take(30)).collect();
        let (short, repeat) = folded(stack, &frames());
        assert_eq!((short, repeat), (vec![2, 3, 4], Some(Repeat { frame: 2, times: 40 })));
    }
}
