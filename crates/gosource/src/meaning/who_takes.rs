//! Who else takes a lock under which somebody waits.

use std::collections::{BTreeMap, BTreeSet};

use super::held_on_purpose::ENDS;
use super::locks::{Op, lock_call};
use super::long_waits::{Kind, doubt};
use super::loops::each_node;
use crate::meaning::case::Case;
use crate::syntax::ast::{StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{FnId, Function};

/// How names of functions begin that begin something, or are told once how it is to be.
const BEGINS: &[&str] = &["start", "open", "init", "configure", "setup", "bootstrap", "release"];

/// Waits under locks of a package, by the class of the lock.
#[derive(Default)]
pub(crate) struct WhoTakes {
    /// Functions that wait under it.
    waiting: BTreeMap<String, BTreeSet<FnId>>,
    /// Reports.
    told: Vec<Told>,
}

/// A wait under a lock that a report is about.
pub(crate) struct Told {
    /// The report's number.
    pub(crate) report: usize,
    /// The lock, where the package tells whose it is.
    pub(crate) class: Option<String>,
    /// How it is held.
    pub(crate) how: Op,
    /// What is waited for.
    pub(crate) kind: Kind,
    /// Who waits, and in which unit.
    pub(crate) by: (FnId, usize),
}

impl WhoTakes {
    /// A function waits under a lock of this class.
    pub(crate) fn waits(&mut self, class: Option<&str>, id: FnId) {
        if let Some(class) = class {
            self.waiting.entry(class.to_owned()).or_default().insert(id);
        }
    }

    /// A report is about it.
    pub(crate) fn tells(&mut self, told: Told) {
        self.told.push(told);
    }

    /// Of the reports that are still open those of which the text does not show that the wait is long, or
    /// that somebody else wants the lock meanwhile; and why.
    pub(crate) fn in_doubt(&self, case: &Case<'_>, open: &dyn Fn(usize) -> bool) -> Vec<(usize, &'static str)> {
        let mut known: BTreeMap<&str, Takers> = BTreeMap::new();
        let told = self.told.iter().filter(|t| open(t.report));
        told.filter_map(|t| {
            let class = t.class.as_deref();
            let takers = class.map(|class| &*known.entry(class).or_insert_with(|| Takers::of(case, class)));
            Some((t.report, doubt(case, t, takers)?))
        })
        .collect()
    }

    /// Of the reports that are still open those about locks for one thing that nobody takes who would not
    /// wait himself, or about locks that are held for reading and taken for writing by what ends something
    /// alone; and why that makes them small.
    pub(crate) fn on_purpose(&self, case: &Case<'_>, open: &dyn Fn(usize) -> bool) -> Vec<(usize, &'static str)> {
        let classes: BTreeSet<&str> =
            self.told.iter().filter(|t| open(t.report)).filter_map(|t| t.class.as_deref()).collect();
        let mut out = Vec::new();
        for class in classes {
            let Takers { readers, writers } = Takers::of(case, class);
            let all: BTreeSet<FnId> = readers.union(&writers).copied().collect();
            let waiting = self.waiting.get(class);
            // Requests that queue up behind one another are what the rule is about.
            let asked = |id: &FnId| case.calls.hot.contains_key(id);
            // A lock that is named `mu` is for whatever its owner has; `leaseMu` is for one thing.
            let plain = class.rsplit('.').next().is_none_or(|name| {
                matches!(
                    name.to_lowercase().as_str(),
                    "mu" | "mutex" | "mtx" | "mux" | "lock" | "rw" | "rwmutex" | "rwlock" | "l" | "m"
                )
            });
            let among_themselves = !plain
                && class.contains('.')
                && all.iter().all(|id| waiting.is_some_and(|w| w.contains(id)))
                && !all.iter().any(asked);
            // Most of those who take it in the midst of the work do so for a whole step of it.
            let midst: Vec<FnId> = all
                .iter()
                .filter(|id| ![ENDS, BEGINS, &["new"]].iter().any(|words| is_named(case, **id, words)))
                .copied()
                .collect();
            let who_wait = midst.iter().filter(|id| waiting.is_some_and(|w| w.contains(id))).count();
            let steps =
                !plain && class.contains('.') && who_wait > 2 && who_wait * 2 >= midst.len() && !all.iter().any(asked);
            // Under a lock that one function takes, itself, and by which it sets nothing, nothing is kept.
            let alone = class.contains('.')
                && all.len() == 1
                && !all.iter().any(asked)
                && all.iter().all(|id| {
                    case.pkg.funcs.get(*id).is_some_and(|f| !sets_something(f) && !in_literals(case, f, class))
                });
            let until_the_end = !writers.is_empty() && writers.iter().all(|id| is_named(case, *id, ENDS));
            // Who begins or configures the owner does so as seldom as who ends it.
            let seldom = !writers.is_empty()
                && writers.iter().all(|id| is_named(case, *id, ENDS) || is_named(case, *id, BEGINS));
            for Told { report, how, kind, .. } in
                self.told.iter().filter(|t| t.class.as_deref() == Some(class) && open(t.report))
            {
                if *how == Op::RLock && until_the_end {
                    out.push((*report, "it is held for reading, and only what ends the owner takes it otherwise"));
                } else if *how == Op::RLock && seldom {
                    out.push((
                        *report,
                        "it is held for reading, and only what begins, configures or ends the owner takes it otherwise",
                    ));
                } else if *how == Op::RLock && writers.is_empty() && is_given(case, class) {
                    out.push((*report, "the lock is somebody else's, and this package only reads by it: when it is taken otherwise is not known"));
                } else if alone {
                    out.push((
                        *report,
                        "nobody else takes it here, and nothing is set under it: that there is one at a time is what it is for",
                    ));
                } else if steps && !matches!(kind, Kind::Each | Kind::EachForGood) {
                    out.push((
                        *report,
                        "most who take it here wait under it themselves: that there is one step at a time may well be what it is for",
                    ));
                } else if among_themselves {
                    out.push((
                        *report,
                        "nobody takes it here who does not wait under it himself: that there is one at a time may well be what it is for",
                    ));
                }
            }
        }
        out
    }
}

/// Whether a lock of this class is a pointer in a field: whoever made it gave it to this package.
fn is_given(case: &Case<'_>, class: &str) -> bool {
    let Some((owner, field)) = class.split_once('.') else { return false };
    case.pkg.types.iter().filter(|(name, _)| **name == owner).any(|(name, _)| {
        let owner = Type::Name { path: "", name, args: Vec::new() };
        matches!(case.pkg.field_type(&owner, field), Some(Type::Pointer(_)))
    })
}

/// Whether a function assigns to anything but plain variables: a field, an element, what a pointer leads to.
fn sets_something(f: &Function<'_>) -> bool {
    let mut sets = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node {
                sets |= match &s.kind {
                    StmtKind::Assign(_, l, _) => l.iter().any(|t| t.ident().is_none()),
                    StmtKind::IncDec(t, _) => t.ident().is_none(),
                    _ => false,
                };
            }
        });
    }
    sets
}

/// Whether a literal of a function, a goroutine as a rule, takes a lock of this class.
fn in_literals<'a>(case: &Case<'a>, f: &Function<'a>, class: &str) -> bool {
    f.scope.units.iter().filter(|u| u.parent.is_some()).any(|u| {
        let mut takes = false;
        each_node(u.body, |node| {
            if let Node::Expr(e) = node {
                takes |= lock_call(case.pkg, f, e).is_some_and(|c| c.class.as_deref() == Some(class));
            }
        });
        takes
    })
}

/// Functions that take a lock.
pub(crate) struct Takers {
    /// For reading.
    pub(crate) readers: BTreeSet<FnId>,
    /// For writing.
    pub(crate) writers: BTreeSet<FnId>,
}

impl Takers {
    /// Those of the package that take a lock of this class.
    fn of(case: &Case<'_>, class: &str) -> Self {
        let mut out = Self { readers: BTreeSet::new(), writers: BTreeSet::new() };
        for (id, f) in case.funcs() {
            for u in &f.scope.units {
                each_node(u.body, |node| {
                    if let Node::Expr(e) = node
                        && let Some(call) = lock_call(case.pkg, f, e)
                        && call.class.as_deref() == Some(class)
                    {
                        match call.op {
                            Op::Lock => out.writers.insert(id),
                            Op::RLock => out.readers.insert(id),
                            Op::Unlock | Op::RUnlock => false,
                        };
                    }
                });
            }
        }
        out
    }

    /// Whether somebody else takes it in the midst of the work: neither who makes, begins and configures the
    /// owner nor who ends it.
    pub(crate) fn has_others(&self, case: &Case<'_>, than: FnId) -> bool {
        self.readers
            .union(&self.writers)
            .any(|id| *id != than && ![ENDS, BEGINS, &["new"]].iter().any(|words| is_named(case, *id, words)))
    }
}

/// Whether a function's name begins with one of these words.
fn is_named(case: &Case<'_>, id: FnId, words: &[&str]) -> bool {
    case.pkg.funcs.get(id).is_some_and(|f| {
        let name = f.decl.name.name.to_lowercase();
        words.iter().any(|w| name.starts_with(w))
    })
}
