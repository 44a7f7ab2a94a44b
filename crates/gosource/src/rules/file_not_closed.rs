//! A file that is not closed on some path. The page: `docs/rules/file-not-closed.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::resources::{Kind, leaks};
use crate::syntax::Callee;
use crate::syntax::Function;
use crate::syntax::ast::Expr;

/// The rule.
pub(super) struct FileNotClosed;

impl Rule for FileNotClosed {
    const INFO: RuleInfo = RuleInfo {
        code: "file-not-closed",
        title: "a file that is not closed on some path",
        doc: include_str!("../../../../docs/rules/file-not-closed.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "every path from the call was followed; on those named nothing closes it and nobody is given it";
    const CURE: &'static str = "defer its Close right after the error was looked at.";

    fn check(case: &Case<'_>, out: &mut Out) {
        let kind = Kind { field: None, ended_by: None, failed_by: None, opens };
        for (id, f) in case.funcs() {
            for leak in leaks(case, id, f, &kind) {
                let opened = case.text(f, leak.open.call().map_or(leak.open.span, |c| c.fun.span));
                let sentence = match leak.name {
                    None => format!("the file that `{opened}` gives is thrown away and never closed"),
                    Some(name) if leak.closed_elsewhere => format!("the file in `{name}` is not closed on every path"),
                    Some(name) => format!("the file in `{name}` is never closed"),
                };
                let found = out.found(id, leak.open.span, sentence);
                for exit in leak.exits.into_iter().take(3) {
                    found.related.push((f.file, exit, "still open where this path ends".into()));
                }
            }
        }
    }
}

fn opens<'a>(case: &Case<'a>, f: &Function<'a>, e: &Expr<'a>) -> bool {
    let Some(call) = e.call() else { return false };
    matches!(
        case.pkg.callee(f, &call.fun),
        Callee::Package("os", "Open" | "Create" | "OpenFile" | "CreateTemp") | Callee::Package("io/ioutil", "TempFile")
    )
}
