//! A send whose receiver may have gone. The page: `docs/rules/send-abandoned.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{Room, Use, local_room, uses};
use crate::meaning::loops::final_call;
use crate::syntax::ast::{Expr, Span, StmtKind};
use crate::syntax::paths::{Along, Exit, walk};
use crate::syntax::visit::Node;
use crate::syntax::{Function, Role, VarId, VarKind};

/// The rule.
pub(super) struct SendAbandoned;

impl Rule for SendAbandoned {
    const INFO: RuleInfo = RuleInfo {
        code: "send-abandoned",
        title: "a send whose receiver may have gone",
        doc: include_str!("../../../../docs/rules/send-abandoned.md"),
    };
    const LEVEL: Level = Level::Critical;

    const WHY: &'static str = "the channel has no room and belongs to the function alone, and on the paths named the function ends without receiving";
    const CURE: &'static str =
        "Give the channel room for what is sent (make(chan T, 1)), or send in a select with ctx.Done().";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for (var, v) in f.scope.vars.iter().enumerate() {
                if v.kind != VarKind::Local || local_room(case.pkg, f, var) != Some(Room::None) {
                    continue;
                }
                let uses = uses(case.pkg, f, var);
                let sends: Vec<_> = uses.iter().filter(|u| u.0 == Use::Send && is_started(f, u.2)).collect();
                let simple = uses.iter().all(|(what, _, unit, _)| match what {
                    Use::Away | Use::SendInSelect | Use::Range => false,
                    Use::Send => is_started(f, *unit),
                    Use::Receive | Use::ReceiveInSelect => *unit == v.unit,
                    Use::Close | Use::Look => true,
                });
                let received = uses.iter().any(|u| matches!(u.0, Use::Receive | Use::ReceiveInSelect));
                let ([send, ..], true, true) = (sends.as_slice(), simple, received) else { continue };
                let Some(u) = f.scope.units.get(v.unit) else { continue };
                let Some(start) = go_around(f, send.2, v.unit) else { continue };
                if f.scope.units.get(start).is_some_and(|u| u.loops > v.loops) {
                    continue;
                }
                let mut follow = Follow {
                    case,
                    f,
                    var,
                    start: f.scope.units.get(start).map(|u| u.span).unwrap_or_default(),
                    exits: Vec::new(),
                };
                if !walk(case.file(f), u.body, State::Before, &mut follow) || follow.exits.is_empty() {
                    continue;
                }
                let mut exits = follow.exits;
                exits.sort_unstable();
                exits.dedup();
                let found = out.found(
                    id,
                    send.1,
                    format!(
                        "if the function has ended before, this send to `{}` waits for ever, and its goroutine with it",
                        v.name
                    ),
                );
                for exit in exits.into_iter().take(3) {
                    found.related.push((f.file, exit, "it ends here without having received".into()));
                }
            }
        }
    }
}

fn is_started(f: &Function<'_>, unit: usize) -> bool {
    f.scope.units.get(unit).is_some_and(|u| u.role == Role::Go)
}

/// The literal that is started in the unit of the channel and holds the send.
fn go_around(f: &Function<'_>, unit: usize, owner: usize) -> Option<usize> {
    let u = f.scope.units.get(unit)?;
    (u.role == Role::Go && u.parent == Some(owner)).then_some(unit)
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Before,
    Started,
    Received,
}

struct Follow<'w, 'a> {
    case: &'w Case<'a>,
    f: &'a Function<'a>,
    var: VarId,
    start: Span,
    exits: Vec<Span>,
}

impl<'a> Along<'a> for Follow<'_, 'a> {
    type State = State;

    fn pass(&mut self, node: Node<'a, 'a>, state: &mut State) {
        match node {
            Node::Stmt(s) => {
                if matches!(s.kind, StmtKind::Go(_)) && s.span.contains(self.start) {
                    *state = State::Started;
                }
            }
            Node::Expr(e) => {
                let is = e.unary("<-").is_some_and(|c| self.f.scope.var(c) == Some(self.var));
                if is && *state == State::Started {
                    *state = State::Received;
                }
            }
        }
    }

    fn end(&mut self, exit: Exit<'a>, state: &State) {
        if *state == State::Started && !matches!(exit, Exit::Panic(_)) {
            self.exits.push(exit.span());
        }
    }

    fn is_final(&self, call: &'a Expr<'a>) -> bool {
        final_call(self.case.pkg, self.f, call)
    }
}
