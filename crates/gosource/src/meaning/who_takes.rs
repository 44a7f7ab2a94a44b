//! Who else takes a lock under which somebody waits.

use std::collections::{BTreeMap, BTreeSet};

use super::held_on_purpose::ENDS;
use super::locks::{Op, lock_call};
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
    /// Reports, by number, and how the lock is held there.
    told: Vec<(String, usize, Op)>,
}

impl WhoTakes {
    /// A function waits under a lock of this class.
    pub(crate) fn waits(&mut self, class: Option<&str>, id: FnId) {
        if let Some(class) = class {
            self.waiting.entry(class.to_owned()).or_default().insert(id);
        }
    }

    /// A report with this number is about it.
    pub(crate) fn tells(&mut self, class: Option<&str>, report: usize, how: Option<Op>) {
        if let Some((class, how)) = class.zip(how) {
            self.told.push((class.to_owned(), report, how));
        }
    }

    /// Of the reports that are still open those about locks for one thing that nobody takes who would not
    /// wait himself, or about locks that are held for reading and taken for writing by what ends something
    /// alone; and why that makes them small.
    pub(crate) fn on_purpose(&self, case: &Case<'_>, open: &dyn Fn(usize) -> bool) -> Vec<(usize, &'static str)> {
        let classes: BTreeSet<&str> = self.told.iter().filter(|t| open(t.1)).map(|t| t.0.as_str()).collect();
        let mut out = Vec::new();
        for class in classes {
            let (readers, writers) = takers(case, class);
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
            // Under a lock that one function takes, itself, and by which it sets nothing, nothing is kept.
            let alone = class.contains('.')
                && all.len() == 1
                && !all.iter().any(asked)
                && all.iter().all(|id| {
                    case.pkg.funcs.get(*id).is_some_and(|f| !sets_something(f) && !in_literals(case, f, class))
                });
            let ends = |id: &FnId| {
                case.pkg.funcs.get(*id).is_some_and(|f| {
                    let name = f.decl.name.name.to_lowercase();
                    ENDS.iter().any(|w| name.starts_with(w))
                })
            };
            // Who begins or configures the owner does so as seldom as who ends it.
            let begins = |id: &FnId| {
                case.pkg.funcs.get(*id).is_some_and(|f| {
                    let name = f.decl.name.name.to_lowercase();
                    BEGINS.iter().any(|w| name.starts_with(w))
                })
            };
            let until_the_end = !writers.is_empty() && writers.iter().all(ends);
            let seldom = !writers.is_empty() && writers.iter().all(|id| ends(id) || begins(id));
            for (_, report, how) in self.told.iter().filter(|t| t.0 == class && open(t.1)) {
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

/// Functions that take a lock of this class for reading, and for writing.
fn takers(case: &Case<'_>, class: &str) -> (BTreeSet<FnId>, BTreeSet<FnId>) {
    let (mut readers, mut writers) = (BTreeSet::new(), BTreeSet::new());
    for (id, f) in case.funcs() {
        for u in &f.scope.units {
            each_node(u.body, |node| {
                if let Node::Expr(e) = node
                    && let Some(call) = lock_call(case.pkg, f, e)
                    && call.class.as_deref() == Some(class)
                {
                    match call.op {
                        Op::Lock => writers.insert(id),
                        Op::RLock => readers.insert(id),
                        Op::Unlock | Op::RUnlock => false,
                    };
                }
            });
        }
    }
    (readers, writers)
}
