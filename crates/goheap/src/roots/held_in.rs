//! The one name of goroutines: the function whose frame has what they keep. A goroutine stands in its
//! innermost call, and what it keeps a caller of that may have built; who reads "158 goroutines in
//! callDownstream" beside "158 copies held in ugcTab" looks for two things where there is one (seen:
//! lab/programs/incident). Of several frames that have it the outermost is the one that lets go of it: who
//! is called with it uses it, and is another one at each look (seen from outside: goja, an interpreter, of
//! which three captures named three functions that one script was in).

use lastgasp_goruntime::Symbolizer;
use lastgasp_heapgraph::{Dominators, Graph, GroupId, Holder, ObjectId, RootId};
use lastgasp_inferior::Addr;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Holders, RootKind};
use crate::functions::{is_of_program, is_standard};

/// All of a command is in it, and that says nothing: then where the goroutine stands says more.
const EVERYTHING: &str = "main.main";

impl Holders {
    /// Names each group of goroutines by the function of the program in whose frames most of what it keeps
    /// stands, where there is one of which that is true.
    pub(crate) fn name_by_frames(
        &mut self,
        graph: &Graph,
        dominators: &Dominators,
        names: &Symbolizer<'_>,
        module: &str,
    ) {
        let mut functions: FxHashMap<Addr, String> = FxHashMap::default();
        let mut kept: FxHashMap<(GroupId, String), u64> = FxHashMap::default();
        let mut together: FxHashSet<ObjectId> = FxHashSet::default();
        for root in (self.goroutines_from..graph.roots().len() as u32).map(RootId) {
            let Some(group) = graph.roots().group_of(root) else { continue };
            for object in graph.roots().held_by(root) {
                let Some(frames) = self.frames(root, object) else { continue };
                // Who holds a leaf beside it would be a look at every pointer: its own bytes are all it has.
                let is_own = graph.is_folded(object)
                    || match dominators.dominator(graph, Holder::Object(object)) {
                        Some(Holder::Root(owner)) => owner == root,
                        Some(Holder::Group(owner)) => owner == group && together.insert(object),
                        _ => false,
                    };
                let bytes = dominators.retained(graph, Holder::Object(object)).map_or(0, |r| r.bytes);
                if !is_own || bytes == 0 {
                    continue;
                }
                let mut function = |pc: Addr| -> String {
                    let inlined = || {
                        let frames: Vec<String> = names.frames(pc).into_iter().map(|frame| frame.function).collect();
                        whose_of_inlined(&frames, module).to_owned()
                    };
                    functions.entry(pc).or_insert_with(inlined).clone()
                };
                let holds = who_lets_go(frames.map(&mut function), module);
                *kept.entry((group, holds)).or_default() += bytes;
            }
        }
        // Of each group the first is that of most; of as many the first in the alphabet: the answer is one.
        let mut most: Vec<((GroupId, String), u64)> = kept.into_iter().collect();
        most.sort_by(|((group, function), bytes), ((g, f), b)| (group, b, function).cmp(&(g, bytes, f)));
        most.dedup_by_key(|((group, _), _)| *group);
        for ((group, function), bytes) in most {
            let all = dominators.retained(graph, Holder::Group(group)).map_or(0, |r| r.bytes);
            if let Some(name) = self.groups.get_mut(group.0 as usize)
                && name.kind == RootKind::Goroutine
                && bytes.saturating_mul(2) > all
                && !is_standard(&function, module)
                && function != EVERYTHING
                && (is_of_program(&function, module) || !is_of_program(&name.name, module))
            {
                name.name = function;
            }
        }
    }
}

/// Of calls that are inlined at one place, innermost first, the one that it is named by: the innermost of the
/// program's, else of a module's.
fn whose_of_inlined<'f>(functions: &'f [String], module: &str) -> &'f str {
    let first = |is: &dyn Fn(&str) -> bool| functions.iter().find(|f| is(f));
    let own = first(&|f| is_of_program(f, module)).or_else(|| first(&|f| !is_standard(f, module)));
    own.or(functions.first()).map_or("", String::as_str)
}

/// Of the frames that have an object (innermost, last but one, outermost) the one that lets go of it: the
/// outermost of the program's, else of a module's. A library is called with what its caller keeps (seen
/// blind: a limiter's `Wait`, inlined into whoever waits, for rows of a query; a workbook's `SetCellStr` for
/// the workbook that one function of the program fills).
fn who_lets_go([innermost, last_but_one, outermost]: [String; 3], module: &str) -> String {
    let says = |f: &String| !is_standard(f, module) && f != EVERYTHING;
    let own = |f: &String| is_of_program(f, module) && f != EVERYTHING;
    let all = [&outermost, &last_but_one, &innermost];
    let found = all.into_iter().find(|f| own(f)).or_else(|| all.into_iter().take(2).find(|f| says(f)));
    found.unwrap_or(&innermost).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(frames: [&str; 3]) -> String {
        who_lets_go(frames.map(str::to_owned), "example.com/shop")
    }

    #[test]
    fn the_programs_outermost_frame_lets_go() {
        assert_eq!(holds(["main.build", "main.tab", "main.serve"]), "main.serve");
        assert_eq!(holds(["main.build", "main.tab", "main.main"]), "main.tab");
        assert_eq!(holds(["main.build", "main.main", "runtime.main"]), "main.build");
        assert_eq!(
            holds(["a.com/xl.set", "example.com/shop/export.Run", "a.com/cron.run"]),
            "example.com/shop/export.Run"
        );
        // Where the program is not among them a module's is, the outermost.
        assert_eq!(holds(["a.com/js.run", "a.com/js.call", "net/http.serve"]), "a.com/js.call");
        assert_eq!(holds(["strings.Repeat", "bytes.grow", "net/http.serve"]), "strings.Repeat");
    }

    #[test]
    fn of_inlined_calls_the_programs_own_is_told() {
        let of = |all: &[&str]| {
            whose_of_inlined(&all.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>(), "shop").to_owned()
        };
        assert_eq!(of(&["golang.org/x/time/rate.(*Limiter).Wait", "main.(*Gateway).Match"]), "main.(*Gateway).Match");
        assert_eq!(of(&["strings.Clone", "a.com/x.F", "a.com/x.G"]), "a.com/x.F");
        assert_eq!(of(&["strings.Clone", "bytes.F"]), "strings.Clone");
        assert_eq!(of(&[]), "");
    }
}
