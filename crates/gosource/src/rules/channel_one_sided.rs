//! A channel of which one end is never used. The page: `docs/rules/channel-one-sided.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{Room, Use, local_room, uses};
use crate::meaning::fields::fields_of;
use crate::meaning::loops::{Length, leads_out, length, loops_in, rounds};
use crate::syntax::ast::{ExprKind, ForHead, Span};
use crate::syntax::{Function, Init, VarKind};

/// The rule.
pub(super) struct ChannelOneSided;

impl Rule for ChannelOneSided {
    const INFO: RuleInfo = RuleInfo {
        code: "channel-one-sided",
        title: "a channel of which one end is never used",
        doc: include_str!("../../../../docs/rules/channel-one-sided.md"),
    };
    const LEVEL: Level = Level::Critical;
    const WHY: &'static str =
        "the channel belongs to the function alone, and all that is done to it stands in the function";
    const CURE: &'static str =
        "Use the other end too, before or in another goroutine, or give the channel room for all that is sent.";

    fn check(case: &Case<'_>, out: &mut Out) {
        in_fields(case, out);
        for (id, f) in case.funcs() {
            for (var, v) in f.scope.vars.iter().enumerate() {
                let room = match local_room(case.pkg, f, var) {
                    Some(Room::None) => 0,
                    Some(Room::Of(n)) => n,
                    _ => continue,
                };
                let uses = uses(case.pkg, f, var);
                if v.kind != VarKind::Local || uses.iter().any(|u| u.0 == Use::Away) {
                    continue;
                }
                let is = |u: &Seen, kinds: &[Use]| kinds.contains(&u.0);
                let receives = |u: &&Seen| is(u, &[Use::Receive, Use::ReceiveInSelect, Use::Range]);
                let first_send = uses.iter().find(|u| u.0 == Use::Send);
                let gives = uses.iter().any(|u| is(u, &[Use::Send, Use::SendInSelect, Use::Close]));
                let name = v.name;
                if let Some(send) = first_send
                    && !uses.iter().any(|u| receives(&u))
                {
                    if sent_before(case, f, &uses, u32::MAX).is_some_and(|n| n <= room) {
                        continue;
                    }
                    out.found(id, send.1, format!("nobody receives from `{name}`: this send waits for ever"));
                } else if let Some(receive) = uses.iter().find(|u| u.0 == Use::Receive)
                    && !gives
                {
                    // `<-forever` keeps a program alive.
                    if f.decl.name.name != "main" || receive.2 != v.unit {
                        let sentence = format!("nobody sends to `{name}` or closes it: this receive waits for ever");
                        let found = out.found(id, receive.1, sentence);
                        let made = case.file(f).at(receive.1);
                        if carries_nothing(case, f, v.init) && uses.len() == 1 && made.starts_with("<-") {
                            found.level = Level::Hint;
                            found.why = Some(
                                "nobody else has the channel, and it carries nothing: whoever writes that means to wait for ever"
                                    .into(),
                            );
                        }
                    }
                } else if let Some(send) = first_send
                    && uses.iter().filter(receives).all(|u| u.2 == v.unit && send.2 == v.unit)
                    && let Some(first) = uses.iter().find(receives)
                    && first.1.start > send.1.start
                    && !is_repeated(f, first)
                    && uses.iter().filter(|u| is(u, &[Use::Send, Use::SendInSelect])).all(|u| u.2 == v.unit)
                    && (sent_before(case, f, &uses, first.1.start).is_some_and(|n| n > room)
                        || is_sent_by_data(case, f, &uses, first.1.start))
                {
                    let has = if room == 0 { "no room".to_owned() } else { format!("room for {room}") };
                    let found = out.found(
                        id,
                        send.1,
                        format!("`{name}` has {has}, and who sends here receives only afterwards: it waits for itself"),
                    );
                    found.related.push((f.file, first.1, "the first receive".into()));
                    if sent_before(case, f, &uses, first.1.start).is_none_or(|n| n <= room) {
                        found.level = Level::Warning;
                        found.why = Some(
                            "as many are sent as there is data, and nothing in the loop leads out or looks at the room"
                                .into(),
                        );
                    }
                }
            }
        }
    }
}

/// Whether a channel is made of `struct{}`.
fn carries_nothing<'a>(case: &Case<'a>, f: &Function<'a>, init: Init<'a>) -> bool {
    matches!(init, Init::Value(e, _) if case.file(f).at(e.span).replace(' ', "") == "make(chanstruct{})")
}

/// Whether a receive stands in a loop; a range over the channel is come to once where no loop is around it.
fn is_repeated(f: &Function<'_>, receive: &Seen) -> bool {
    if receive.0 != Use::Range {
        return receive.3;
    }
    let unit = f.scope.units.get(receive.2);
    unit.is_some_and(|u| loops_in(u.body).iter().any(|(_, _, l)| l.body.span.contains(receive.1)))
}

/// Sends to a channel in a field that no other package can name, made without room, from which the package
/// never receives.
fn in_fields(case: &Case<'_>, out: &mut Out) {
    for (name, seen) in fields_of(case.pkg) {
        let (Some((id, send)), true, false) = (seen.sent, seen.made, seen.away) else { continue };
        let found = out.found(
            id,
            send,
            format!(
                "nothing in the package receives from a field `{name}`, and no other can: this send waits for ever"
            ),
        );
        found.level = Level::Warning;
        found.why =
            Some("the channel is made without room, its name is not exported, and it is handed to nobody".into());
    }
}

/// What is done, where, in which unit, and whether in a loop of it.
type Seen = (Use, Span, usize, bool);

/// Whether a plain loop over what there is sends a value in each round before a place: how many fit is a
/// number in the text, and how many come is not.
fn is_sent_by_data<'a>(case: &Case<'a>, f: &'a Function<'a>, uses: &[Seen], before: u32) -> bool {
    uses.iter().filter(|u| u.0 == Use::Send && u.1.start < before && u.3).any(|(_, span, unit, _)| {
        let Some(u) = f.scope.units.get(*unit).filter(|u| u.loops == 0) else { return false };
        loops_in(u.body).into_iter().any(|(_, label, l)| {
            let plain = l.body.stmts.iter().any(|s| s.span == *span);
            let open = matches!(&l.head, ForHead::Range { over, .. } if !matches!(over.kind, ExprKind::Lit(..) | ExprKind::Composite(..)));
            // Of a table of the text, or a number, as many come as it says.
            let told = matches!(&l.head, ForHead::Range { over, .. } if over.ident().is_some() && f.scope.var(over).is_none());
            plain
                && open
                && !told
                && rounds(case.pkg, f, l).is_none()
                && !leads_out(case.pkg, f, l, label)
                && matches!(length(case.pkg, f, l), Length::Counted)
        })
    })
}

/// How many values are sent before a place at the least, where the text says it: of sends in a loop the
/// loop's rounds count.
fn sent_before<'a>(case: &Case<'a>, f: &'a Function<'a>, uses: &[Seen], before: u32) -> Option<u64> {
    let mut sum = 0_u64;
    for (_, span, unit, in_loop) in uses.iter().filter(|u| u.0 == Use::Send && u.1.start < before) {
        let u = f.scope.units.get(*unit)?;
        // A literal that stands in a loop runs once for each round of it.
        if u.loops > 0 {
            return None;
        }
        if *in_loop {
            let mut around = loops_in(u.body).into_iter().filter(|(_, _, l)| l.body.span.contains(*span));
            let l = around.next()?.2;
            if around.next().is_some() {
                return None;
            }
            sum = sum.saturating_add(rounds(case.pkg, f, l)?);
        } else {
            sum = sum.saturating_add(1);
        }
    }
    Some(sum)
}
