//! Several goroutines send a result, and one is read. The page: `docs/rules/result-channel-read-once.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{Room, Use, last_name, local_room, uses};
use crate::meaning::loops::each_node;
use crate::syntax::ast::{Span, StmtKind};
use crate::syntax::visit::Node;
use crate::syntax::{Function, Role, VarKind};

/// The rule.
pub(super) struct ResultChannelReadOnce;

impl Rule for ResultChannelReadOnce {
    const INFO: RuleInfo = RuleInfo {
        code: "result-channel-read-once",
        title: "several goroutines send a result, and one is read",
        doc: include_str!("../../../../docs/rules/result-channel-read-once.md"),
    };
    const LEVEL: Level = Level::Critical;

    const WHY: &'static str =
        "the channel belongs to the function alone; its sends and its only receive stand in the function";
    const CURE: &'static str = "Give the channel room for every sender, or read as many as are sent.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for (var, v) in f.scope.vars.iter().enumerate() {
                if v.kind != VarKind::Local {
                    continue;
                }
                let room = match local_room(case.pkg, f, var) {
                    Some(Room::None) => 0,
                    Some(Room::Of(n)) => n,
                    _ => continue,
                };
                let uses = uses(case.pkg, f, var);
                let fits = uses.iter().all(|(what, _, unit, in_loop)| match what {
                    Use::Send => {
                        !in_loop
                            && f.scope.units.get(*unit).is_some_and(|u| u.role == Role::Go && u.parent == Some(v.unit))
                    }
                    Use::Receive | Use::ReceiveInSelect => !in_loop && *unit == v.unit,
                    Use::Look => true,
                    Use::Away | Use::SendInSelect | Use::Range | Use::Close => false,
                });
                let receives: Vec<_> =
                    uses.iter().filter(|u| matches!(u.0, Use::Receive | Use::ReceiveInSelect)).collect();
                let sends: Vec<_> = uses.iter().filter(|u| u.0 == Use::Send).collect();
                let ([receive], [send, ..], true) = (receives.as_slice(), sends.as_slice(), fits) else { continue };
                // Sends of one goroutine on its several paths are one.
                let mut units: Vec<usize> = sends.iter().map(|u| u.2).collect();
                units.dedup();
                let looped = units.iter().any(|n| f.scope.units.get(*n).is_some_and(|u| u.loops > v.loops));
                let senders = units.len() as u64;
                if !looped && senders <= room.saturating_add(1) {
                    continue;
                }
                let many = if looped {
                    "each round of the loop starts a goroutine that sends".to_owned()
                } else {
                    format!("{senders} goroutines send")
                };
                let has = if room == 0 { "has no room".to_owned() } else { format!("has room for {room}") };
                let found = out.found(
                    id,
                    send.1,
                    format!(
                        "{many} to `{}`, which {has}, and one value is received: the other goroutines wait for ever",
                        v.name
                    ),
                );
                found.related.push((f.file, receive.1, "the only receive".into()));
                if sends.iter().any(|s| gives_end_of_server(f, s.1)) {
                    found.level = Level::Hint;
                    found.why = Some(
                        "what is sent is the end of something that serves: as a rule the first that ends is the end of the process"
                            .into(),
                    );
                }
            }
        }
    }
}

/// Whether a statement sends what a call that serves until its end gives: `c <- srv.ListenAndServe()`.
fn gives_end_of_server(f: &Function<'_>, send: Span) -> bool {
    let mut serves = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::Send(_, value) = &s.kind
                && s.span == send
            {
                let name = value.call().map_or("", |c| last_name(&c.fun));
                serves |= ["Serve", "ListenAndServe", "serve", "listenAndServe"].iter().any(|w| name.starts_with(w));
            }
        });
    }
    serves
}
