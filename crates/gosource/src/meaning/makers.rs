//! How often a function runs, by its name: what makes things, once for each; what runs at a program's start.

use crate::syntax::Function;

/// Functions that make a thing, once for each.
pub(crate) fn is_maker(f: &Function<'_>) -> bool {
    let name = f.decl.name.name;
    name == "init"
        || name == "main"
        || [
            "New",
            "new",
            "Open",
            "Make",
            "Init",
            "setup",
            "Setup",
            "Provision",
            "Validate",
            "Configure",
            "UnmarshalCaddyfile",
        ]
        .iter()
        .any(|p| name.starts_with(p))
}

/// Whether a function runs a bounded number of times by its kind: `main`, `init`, makers, and what registers
/// things at the start of a program.
pub(crate) fn runs_seldom(f: &Function<'_>) -> bool {
    let name = f.decl.name.name;
    let lower = name.to_lowercase();
    is_maker(f)
        || [
            "register",
            // `Run` runs once.
            "run",
            "with",
            "set",
            "use",
            "on",
            "parse",
            "load",
            "build",
            "mount",
            "handle",
            "bind",
            "define",
            "declare",
            "config",
            "read",
            "decode",
            "unmarshal",
            "scan",
            "compile",
            "mustregister",
            "walk",
            "lex",
            "emit",
            "gen",
            "write",
            "print",
            "init",
            "open",
            "start",
            "option",
            "import",
            "flag",
            "listen",
            "subscribe",
            "must",
            "prepare",
            "marshal",
            "encode",
            "format",
            "resolve",
            "analyze",
            "check",
            "lower",
            "reset",
            "sort",
            "merge",
            "reload",
            "refresh",
            "provision",
            "validate",
            "configure",
            "serve",
            "apply",
            "enable",
            "create",
            "update",
            "rebuild",
        ]
        .iter()
        .any(|p| lower.starts_with(p))
}

/// Of those, the names that say so whatever is added: what is called with another key each time, on
/// something that goroutines share, is not called seldom for being named `Set`, `Load` or `Update`.
pub(crate) fn starts_only(f: &Function<'_>) -> bool {
    let lower = f.decl.name.name.to_lowercase();
    const OFTEN: &[&str] = &[
        "set",
        "use",
        "on",
        "load",
        "build",
        "handle",
        "read",
        "write",
        "print",
        "open",
        "start",
        "listen",
        "subscribe",
        "prepare",
        "validate",
        "serve",
        "create",
        "update",
        "run",
    ];
    is_maker(f) || runs_seldom(f) && !OFTEN.iter().any(|p| lower.starts_with(p))
}
