//! A loop that requests run over a whole configuration. The page: `docs/rules/config-length-loop.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::loops::{each_node, loops_in};
use crate::meaning::published;
use crate::meaning::replaced::{replaced, set_by_requests};
use crate::meaning::shared::{origin, under_once};
use crate::syntax::Function;
use crate::syntax::ast::{Block, ForHead, Span, Type};
use crate::syntax::calls::Heat;
use crate::syntax::visit::Node;

/// The rule.
pub(super) struct ConfigLengthLoop;

impl Rule for ConfigLengthLoop {
    const INFO: RuleInfo = RuleInfo {
        code: "config-length-loop",
        title: "a loop that requests run over a whole configuration",
        doc: include_str!("../../../../docs/rules/config-length-loop.md"),
    };
    const LEVEL: Level = Level::Hint;
    const WHY: &'static str = "what it goes over is the same for all requests and filled while the program runs; how long it is nobody tells here";
    const CURE: &'static str =
        "Look up instead of going through: keep a map or a set beside the data, made when they change.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for (unit, u) in f.scope.units.iter().enumerate() {
                if !case.calls.is_hot(case.pkg, id, unit) || under_once(case, id, f, unit) {
                    continue;
                }
                let mut told: Vec<Span> = Vec::new();
                for (span, _, l) in loops_in(u.body) {
                    // A loop within one that was told goes over a part of the same.
                    if told.iter().any(|t| t.contains(span)) {
                        continue;
                    }
                    let ForHead::Range { over, .. } = &l.head else { continue };
                    let ty = case.pkg.underlying(&case.pkg.type_of(f, over));
                    if !matches!(ty, Type::Slice(_) | Type::Map(..)) || holds_functions(case, &ty) {
                        continue;
                    }
                    let Some(from) = origin(case, id, over) else { continue };
                    // Filling a container is the worse of the two, and told of itself.
                    if super::rebuilt_per_request::fills(case, f, &l.body).is_some() || takes_out(&l.body) {
                        continue;
                    }
                    let (entry, how) = case.calls.entry(case.pkg, id).unwrap_or((id, "runs for requests"));
                    let name = case.pkg.funcs.get(entry).map(Function::short_name).unwrap_or_default();
                    let published = published::is_published(&from.text);
                    // A method that may serve requests, over a list that may be of three: nothing to tell.
                    if case.calls.hot.get(&entry) == Some(&Heat::Service) && !published {
                        continue;
                    }
                    let head = Span { end: l.body.span.start, ..span };
                    told.push(span);
                    let found = out.found(
                        id,
                        head,
                        format!(
                            "`{name}` {how}, and each time this loop goes through `{}`, however long that is",
                            from.text
                        ),
                    );
                    // A list in a field may be three proxies and what a call gives three members: how long it
                    // is only a profile tells. What somebody publishes while the program runs is data, of any
                    // length.
                    if is_swept(&from.text) {
                        found.why = Some(
                            "by its name it is what is to be worked off or thrown away: that is never long for long"
                                .into(),
                        );
                    } else if set_by_requests(case, over) {
                        found.why = Some(
                            "a handler of requests sets it anew: what somebody configures by hand is as a rule short"
                                .into(),
                        );
                    } else if is_listed_by_hand(&from.text) {
                        found.why = Some(
                            "by its name it is what whoever runs the service lists by hand: as a rule short".into(),
                        );
                    } else if published && (from.text.contains('(') || replaced(case, over)) {
                        found.level = Level::Warning;
                    }
                    if let Some((caller, call)) = from.handed
                        && let Some(g) = case.pkg.funcs.get(caller)
                    {
                        found.related.push((g.file, call.span, "called here for each request".into()));
                    }
                }
            }
        }
    }
}

/// Whether what is gone through is named after what is over and is worked off: `store.MessagesExpired()`.
fn is_swept(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["expired", "stale", "outdated", "pending", "obsolete", "unused", "dirty", "overdue"]
        .iter()
        .any(|w| lower.contains(w))
}

/// Whether a list is named after what somebody who runs a service writes down one by one: whom it trusts, by
/// what it is asked, where it passes on to.
fn is_listed_by_hand(text: &str) -> bool {
    let lower = text.split(',').next().unwrap_or_default().to_lowercase();
    let last = lower.rsplit('.').next().unwrap_or_default();
    const WORDS: &[&str] =
        &["allowed", "trusted", "origin", "token", "proxies", "proxy", "cidr", "nets", "network", "listener", "secret"];
    WORDS.iter().any(|w| last.contains(w))
}

/// Whether a loop deletes: then it makes the thing smaller.
fn takes_out(body: &Block<'_>) -> bool {
    let mut found = false;
    each_node(body, |node| {
        if let Node::Expr(e) = node {
            found |= e.call().is_some_and(|c| c.fun.ident() == Some("delete"));
        }
    });
    found
}

/// Functions and interfaces are registered by the program's text: middlewares, routes.
fn holds_functions<'a>(case: &Case<'a>, ty: &Type<'a>) -> bool {
    match ty {
        Type::Slice(of) | Type::Map(_, of) => {
            let named =
                of.name().is_some_and(|(_, name)| ["Option", "Func", "Handler"].iter().any(|w| name.ends_with(w)));
            named || matches!(case.pkg.underlying(of), Type::Func(_) | Type::Interface(_))
        }
        _ => false,
    }
}
