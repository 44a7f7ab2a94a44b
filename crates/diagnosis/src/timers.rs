//! Timers that have not fired and keep most of what is live: whose function they run, and where the program
//! sets them. Pure.
//!
//! No goroutine waits there, so none is a suspect: whoever allocates at that moment only happens to (seen
//! blind: deliveries that wait for their next try in `time.AfterFunc`, and the sender that was at work beside
//! them, which was named).

use std::collections::BTreeMap;

use crate::facts::{Facts, GraphPath, GraphPlace};
use crate::graph_certainty::share_of_live;
use crate::made::{all_called_in, called_in, places_text};
use crate::owner::is_standard_library;
use crate::reachability::Reachability;
use crate::thresholds::one_root_holds_most::MOST;
use crate::thresholds::unprofiled_heap::HELD_BESIDE_GARBAGE;
use crate::units::bytes;
use crate::way::{function_of, is_by_timers, way};

/// What the code's calls that set a timer are called.
const TIMER: &str = "timer";

/// Timers that keep most of what is live.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timers<'a> {
    /// What they keep, by all ways, in bytes.
    bytes: u64,
    /// Part of what is live that this is.
    pub(crate) share: f64,
    /// The way of most of it.
    way: &'a GraphPath,
    /// The program's function that those of most of it run, where it is known.
    function: Option<&'a str>,
    /// Where the program sets them: where that function is written; else all places, if they are few and it
    /// may be any of them.
    set_in: Vec<&'a GraphPlace>,
    /// Whether they are those of contexts with a deadline.
    pub(crate) of_contexts: bool,
}

impl<'a> Timers<'a> {
    /// Those that keep most of what is live, and a good part of a growth, if they do.
    pub(crate) fn of(facts: &'a Facts, reach: &Reachability<'_>) -> Option<Self> {
        let graph = facts.graph.as_ref()?;
        let ways = || graph.paths.iter().filter(|p| is_by_timers(&p.steps));
        let sum = |of: &dyn Fn(&&GraphPath) -> bool| ways().filter(of).map(|p| p.bytes).fold(0, u64::saturating_add);
        let mut by: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        for path in ways() {
            let known = by.entry(function_of(&path.steps)).or_default();
            *known = known.saturating_add(path.bytes);
        }
        // Where several functions have a part each none of them is named.
        let of_one = by.into_iter().max_by_key(|(_, n)| *n).filter(|(_, n)| share_of_live(graph, *n) >= MOST);
        let is_of = |p: &&GraphPath| of_one.is_none_or(|(function, _)| function_of(&p.steps) == function);
        let bytes = sum(&is_of);
        let share = share_of_live(graph, bytes).min(1.0);
        let is_most = share >= MOST && reach.part(bytes) >= HELD_BESIDE_GARBAGE;
        let way = ways().filter(is_of).rev().max_by_key(|p| p.bytes).filter(|_| is_most)?;
        let runs = of_one.and_then(|(function, _)| function);
        let function = runs.filter(|f| !is_standard_library(f, &facts.target.module.path));
        let own = all_called_in(facts, TIMER).iter().filter(|p| function.is_some_and(|f| is_part_of(f, p)));
        let mut set_in: Vec<&GraphPlace> = own.collect();
        // A timer with a channel runs nothing of the program's, and a method may be given to one anywhere.
        let anywhere = of_one.is_some() && function.is_none_or(|f| f.ends_with("-fm")) && (runs == function);
        if set_in.is_empty() && anywhere {
            set_in = called_in(facts, TIMER).iter().collect();
        }
        let of_contexts = runs.is_some_and(|f| f.starts_with("context."));
        Some(Self { bytes, share, way, function, set_in, of_contexts })
    }

    /// `102 MB of it are kept by way of timers that have not fired [func main.later.func1] .X1 -> []uint8`.
    pub(crate) fn text(&self) -> String {
        format!("{} of it are kept by way of {}", bytes(self.bytes), way(&self.way.steps, &self.way.type_name))
    }

    /// `they run main.later.func1, and are set in main.later (main.go:97)`, as far as it is known.
    pub(crate) fn whose(&self) -> Option<String> {
        let run = self.function.map(|f| format!("run {f}"));
        // Of timers that run nothing of the program's, a library's may be among them.
        let are = if self.function.is_some() { "are" } else { "may be" };
        let set =
            (!self.set_in.is_empty()).then(|| format!("{are} set in {}", places_text(self.set_in.iter().copied())));
        let known: Vec<String> = run.into_iter().chain(set).collect();
        (!known.is_empty()).then(|| format!("they {}", known.join(", and ")))
    }

    /// The one place to look at: where they are set, else what they run.
    pub(crate) fn place(&self) -> Option<Place<'a>> {
        match (self.set_in.as_slice(), self.function) {
            ([only], Some(_)) => Some(Place::Line(only)),
            (_, function) => function.map(Place::Function),
        }
    }
}

/// A place in the program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place<'a> {
    /// A line.
    Line(&'a GraphPlace),
    /// A function.
    Function(&'a str),
}

impl<'a> Place<'a> {
    /// The function.
    pub(crate) fn function(self) -> &'a str {
        match self {
            Self::Line(place) => &place.function,
            Self::Function(name) => name,
        }
    }
}

/// Whether a function is one that is written within the function of a place: `main.later.func1` in
/// `main.later`.
fn is_part_of(function: &str, place: &GraphPlace) -> bool {
    function.strip_prefix(place.function.as_str()).is_some_and(|rest| rest.starts_with(".func"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{GraphCalls, GraphFacts};

    const MB: u64 = 1_000_000;

    fn facts(functions: &[(&str, u64)], places: &[(&str, &str)]) -> Facts {
        let mut graph = GraphFacts { of_one_moment: true, live_bytes: 120 * MB, ..GraphFacts::default() };
        graph.paths = functions
            .iter()
            .map(|(f, mb)| GraphPath {
                steps: ["runtime runtime.allp", "[...]", ".timers.heap", "[...].timer", "?", f, ".body"]
                    .map(str::to_owned)
                    .to_vec(),
                type_name: "[]uint8".into(),
                bytes: mb * MB,
                ..GraphPath::default()
            })
            .collect();
        let place = |(f, at): &(&str, &str)| GraphPlace { function: (*f).into(), at: (*at).into() };
        let places = places.iter().map(place).collect();
        graph.library_calls = vec![GraphCalls { call: "timer".into(), places }];
        let mut facts = Facts { graph: Some(graph), ..Facts::default() };
        facts.target.module.path = "svc".into();
        facts
    }

    fn timers(f: &Facts) -> Option<Timers<'_>> {
        Timers::of(f, &Reachability::of(f.graph.as_ref(), 150 * MB).unwrap())
    }

    #[test]
    fn whose_timers_they_are_is_said() {
        let ways = [("[func svc/deliver.(*D).later.func1] .X1", 70), ("[func svc/poll.tick.func1] .X0", 30)];
        let f = facts(&ways, &[("svc/deliver.(*D).later", "deliver/d.go:97"), ("svc/poll.tick", "poll/p.go:3")]);
        let of = timers(&f).unwrap();
        let way = "timers that have not fired [func svc/deliver.(*D).later.func1] .X1 .body -> []uint8";
        assert_eq!(of.text(), format!("70.0 MB of it are kept by way of {way}"));
        let whose = "they run svc/deliver.(*D).later.func1, and are set in svc/deliver.(*D).later (deliver/d.go:97)";
        assert_eq!(of.whose().as_deref(), Some(whose));
        assert_eq!(of.place().map(Place::function), Some("svc/deliver.(*D).later"));
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        // A method is set as a timer's function anywhere.
        let f = facts(&[("[func svc/hold.(*H).expire-fm] .X0", 100)], &[]);
        assert_eq!(timers(&f).unwrap().whose().as_deref(), Some("they run svc/hold.(*H).expire-fm"));
        let set = facts(&[("[func svc/hold.(*H).expire-fm] .X0", 100)], &[("svc/hold.New", "hold.go:3")]);
        let said = "they run svc/hold.(*H).expire-fm, and are set in svc/hold.New (hold.go:3)";
        assert_eq!(timers(&set).unwrap().whose().as_deref(), Some(said));
        // A context's own, whoever sets other timers.
        let f = facts(&[("[func context.WithDeadlineCause.func2] .X0", 100)], &[("svc/poll.tick", "p.go:3")]);
        let of = timers(&f).unwrap();
        assert_eq!((of.whose(), of.place(), of.of_contexts), (None, None, true));
        // Several functions, none of which has most.
        let f = facts(&[("[func main.f.func1] .X0", 50), ("[func main.g.func1] .X0", 50)], &[("main.f", "f.go:3")]);
        let of = timers(&f).unwrap();
        assert_eq!((of.bytes, of.whose(), of.place()), (100 * MB, None, None));
        // Little of what is live.
        assert_eq!(timers(&facts(&[("[func main.f.func1] .X0", 20)], &[])), None);
        // What was there before the growth.
        let f = facts(&[("[func main.f.func1] .X0", 100)], &[]);
        assert_eq!(Timers::of(&f, &Reachability::of(f.graph.as_ref(), 15 * MB).unwrap()), None);
    }
}
