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
use crate::functions::is_standard;

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
                    // Of calls that are inlined there the innermost of the program's.
                    let name = || {
                        let frames = names.frames(pc);
                        let own = frames.iter().find(|frame| !is_standard(&frame.function, module));
                        own.or(frames.first()).map_or_else(String::new, |frame| frame.function.clone())
                    };
                    functions.entry(pc).or_insert_with(name).clone()
                };
                let [innermost, last_but_one, outermost] = frames.map(&mut function);
                let says = |f: &String| !is_standard(f, module) && f != EVERYTHING;
                let holds = [outermost, last_but_one].into_iter().find(says).unwrap_or(innermost);
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
            {
                name.name = function;
            }
        }
    }
}
