//! Goroutines that are in C at that moment: no stack says who has C memory, and who is there is the first to
//! ask. Pure.

use crate::facts::{Facts, Frame};
use crate::owner::{frame, owner_on};
use crate::sentence::place;
use crate::units::count;

/// What cgo calls a C function in Go: `main._Cfunc_sass_compiler_parse` (`cmd/cgo`, `_cgo_gotypes.go`).
const C_FUNCTION: &str = "._Cfunc_";

/// Goroutines in one C function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InC<'a> {
    /// How many.
    count: u64,
    /// The C function.
    function: &'a str,
    /// The program's own call that led there, else the one that called it.
    pub(crate) caller: &'a Frame,
}

impl InC<'_> {
    /// `1 goroutine is in C (sass_compiler_parse) at that moment, called by css.compile (css/tocss.go:198)`.
    pub(crate) fn text(&self) -> String {
        let who =
            if self.count == 1 { "1 goroutine is".into() } else { format!("{} goroutines are", count(self.count)) };
        format!("{who} in C ({}) at that moment, called by {}", self.function, place(self.caller))
    }
}

/// The C function in which most goroutines are.
pub(crate) fn in_c(facts: &Facts) -> Option<InC<'_>> {
    let mut all: Vec<InC<'_>> = Vec::new();
    for group in &facts.goroutines.groups {
        let mut stack = group.stack.iter().filter_map(|i| frame(facts, *i));
        let Some((_, function)) = stack.by_ref().find_map(|f| f.function.rsplit_once(C_FUNCTION)) else { continue };
        // The wrapper around it is a closure of the function that is meant.
        let own = owner_on(facts, &group.stack).filter(|f| !f.function.contains(C_FUNCTION));
        let Some(caller) = own.or_else(|| stack.next()) else { continue };
        match all.iter_mut().find(|known| known.function == function && known.caller == caller) {
            Some(known) => known.count = known.count.saturating_add(group.count),
            None => all.push(InC { count: group.count, function, caller }),
        }
    }
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| (a.function, a.caller).cmp(&(b.function, b.caller))));
    all.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Goroutines, Group};

    /// As hugo was when a style sheet without end was compiled.
    #[test]
    fn who_is_in_c_is_named_with_who_called_it() {
        let names = [
            "github.com/bep/libsass._Cfunc_sass_compiler_parse",
            "github.com/bep/libsass.SassCompilerParse.func1",
            "main.toCSS",
            "main.main",
            "runtime.gopark",
        ];
        let of = |stacks: &[(&[u32], u64)]| {
            let group =
                |(stack, count): &(&[u32], u64)| Group { stack: stack.to_vec(), count: *count, ..Group::default() };
            let frames = names.map(|f| Frame { function: f.into(), file: "css/tocss.go".into(), line: 198 });
            let groups = stacks.iter().map(group).collect();
            let goroutines = Goroutines { groups, ..Goroutines::default() };
            let facts = Facts { frames: frames.into(), goroutines, ..Facts::default() };
            in_c(&facts).map(|found| found.text())
        };
        let said = "in C (sass_compiler_parse) at that moment, called by main.toCSS (css/tocss.go:198)";
        assert_eq!(of(&[(&[4, 3], 9), (&[0, 1, 2, 3], 1)]), Some(format!("1 goroutine is {said}")));
        assert_eq!(of(&[(&[0, 1, 2], 3)]), Some(format!("3 goroutines are {said}")));
        assert_eq!(of(&[(&[4, 3], 9)]), None);
    }
}
