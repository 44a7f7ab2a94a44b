//! Findings held against types: what a rule took a call for by its spelling is that, or something else.

use std::path::Path;

use super::facts::{TypeFact, TypeFacts};
use crate::finding::{Certainty, Evidence, Finding};

/// What types say of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is what the rule took it for.
    Agrees,
    /// It is something else: the finding goes.
    Differs,
    /// They say nothing of it.
    Silent,
}

/// What became of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Findings that are typed now.
    pub typed: usize,
    /// Findings that went.
    pub gone: usize,
}

/// What a rule takes an expression for.
enum Takes {
    /// A call of one of these, or of a method of them: a prefix of what it resolves to.
    Call(&'static [&'static str]),
    /// A call of something of these names, which is one of these. A place where nothing of that name is
    /// called says nothing: what waits under a lock, or takes it again within, stands elsewhere than the
    /// lock.
    Named(&'static [&'static str], &'static [&'static str]),
    /// A call with a result of such a type.
    Result(&'static [&'static str]),
    /// A literal of such a type, or a call of one of these.
    LiteralOrCall(&'static [&'static str], &'static [&'static str]),
    /// A loop over such a kind.
    Range(&'static [&'static str]),
    /// An element stored into such a kind, or made in such a way.
    Store(&'static [&'static str]),
    /// A slice of such a kind.
    Slice(&'static [&'static str]),
    /// A value with pointers that is sent.
    PointerSent,
    /// A call through an interface or a function value.
    DynamicCall,
}

const HTTP: &[&str] = &["net/http.Get", "net/http.Post", "net/http.PostForm", "net/http.Head", "(*net/http.Client)."];
const LOCKS: &[&str] = &["(*sync.Mutex).", "(*sync.RWMutex).", "(sync.Locker)."];
const GROUPS: &[&str] = &["(*sync.WaitGroup)."];
const RESPONSES: &[&str] = &["*net/http.Response"];

/// What the rules take what they find for. Rules that rest on the text alone have no entry.
fn takes(code: &str) -> Option<Takes> {
    Some(match code {
        "body-not-closed" => Takes::Result(RESPONSES),
        "rows-not-closed" => Takes::Result(&["*database/sql.Rows"]),
        "file-not-closed" => Takes::Result(&["*os.File"]),
        "client-no-timeout" => Takes::LiteralOrCall(&["net/http.Client"], HTTP),
        "server-no-timeout" => Takes::LiteralOrCall(
            &["net/http.Server"],
            &["net/http.ListenAndServe", "net/http.Serve", "(*net/http.Server)."],
        ),
        "dial-no-timeout" => Takes::Call(&[
            "net.Dial",
            "(*net.Dialer).",
            "crypto/tls.Dial",
            "net/rpc.Dial",
            "net/rpc/jsonrpc.Dial",
            "net/smtp.",
            "google.golang.org/grpc.Dial",
        ]),
        "request-no-context" => Takes::Call(&[
            "net/http.NewRequest",
            "net/http.Get",
            "net/http.Post",
            "net/http.Head",
            "(*net/http.Client).",
            "(*database/sql.",
        ]),
        "context-not-handed-on" => Takes::Call(&[
            "context.Background",
            "context.TODO",
            "net/http.NewRequest",
            "net/http.Get",
            "net/http.Post",
            "net/http.Head",
            "os/exec.Command",
            "net.Dial",
            "(*database/sql.",
        ]),
        "lock-not-released" | "lock-order" | "locked-again" | "unlock-of-another" | "lock-held-across-wait" => {
            Takes::Named(&["Lock", "RLock", "Unlock", "RUnlock", "TryLock", "TryRLock"], LOCKS)
        }
        "wg-add-inside" | "wg-count-mismatch" | "wg-done-missed" => Takes::Call(GROUPS),
        "ticker-not-stopped" => Takes::Call(&["time.NewTicker", "time.Tick"]),
        "time-after-in-loop" => Takes::Call(&["time.After"]),
        "range-never-closed" => Takes::Range(&["chan"]),
        "map-only-grows" => Takes::Store(&["map"]),
        "slice-kept" => Takes::Slice(&["slice", "string", "array"]),
        "escape-pointer-sent" => Takes::PointerSent,
        "escape-interface-call" => Takes::DynamicCall,
        _ => return None,
    })
}

/// What types say of a finding, of a rule's code at some lines of a file.
#[must_use]
pub fn judge(code: &str, facts: &TypeFacts, file: &str, first: u32, last: u32) -> Verdict {
    let Some(takes) = takes(code) else { return Verdict::Silent };
    let of = |kind: &str| facts.within(file, first, last).filter(|f| f.kind == kind).collect::<Vec<&TypeFact>>();
    let begins = |what: &str, with: &[&str]| with.iter().any(|w| what.starts_with(w));
    let by = |all: Vec<&TypeFact>, fits: &dyn Fn(&TypeFact) -> bool| match all.iter().any(|f| fits(f)) {
        true => Verdict::Agrees,
        // A line of which nothing was typed says nothing; one of which something was, all of it.
        false if all.is_empty() => Verdict::Silent,
        false => Verdict::Differs,
    };
    let calls = |fits: &dyn Fn(&TypeFact) -> bool| {
        let calls = of("call");
        let verdict = by(calls.clone(), fits);
        // What a function value or an interface's method is nobody knows: it may well be that.
        let is_open = calls.iter().any(|c| c.dynamic && c.targets.is_empty());
        if verdict == Verdict::Differs && is_open { Verdict::Silent } else { verdict }
    };
    match takes {
        Takes::Call(with) => calls(&|f| begins(&f.what, with) || f.targets.iter().any(|t| begins(t, with))),
        Takes::Named(names, with) => {
            let of_name = |what: &str| what.rsplit('.').next().is_some_and(|n| names.contains(&n));
            let named = of("call").into_iter().any(|f| of_name(&f.what) || f.targets.iter().any(|t| of_name(t)));
            let fits = |f: &TypeFact| begins(&f.what, with) || f.targets.iter().any(|t| begins(t, with));
            if named { calls(&fits) } else { Verdict::Silent }
        }
        Takes::Result(types) => calls(&|f| f.results.iter().any(|r| types.contains(&r.as_str()))),
        Takes::LiteralOrCall(types, with) => {
            if of("literal").iter().any(|l| types.contains(&l.what.trim_start_matches('*'))) {
                return Verdict::Agrees;
            }
            // `new(http.Client)` makes one as a literal does.
            let made =
                |f: &TypeFact| f.what == "new" && f.results.iter().any(|r| types.contains(&r.trim_start_matches('*')));
            calls(&|f| begins(&f.what, with) || made(f))
        }
        Takes::Range(kinds) => by(of("range"), &|f| kinds.contains(&f.what.as_str())),
        Takes::Store(kinds) => by(of("store"), &|f| kinds.contains(&f.what.as_str())),
        Takes::Slice(kinds) => by(of("slice"), &|f| kinds.contains(&f.what.as_str())),
        Takes::PointerSent => by(of("send"), &|f| f.pointer),
        Takes::DynamicCall => by(of("call"), &|f| f.dynamic),
    }
}

/// Holds findings against types: those that agree are typed, those that are something else go. `root` is the
/// folder that their files are named from.
pub fn confirm(findings: &mut Vec<Finding>, facts: &TypeFacts, root: &Path) -> Judged {
    let mut judged = Judged::default();
    findings.retain_mut(|finding| {
        let file = root.join(&finding.place.file);
        let file = file.canonicalize().unwrap_or(file);
        let Some(file) = file.to_str() else { return true };
        let last = finding.place.end_line.max(finding.place.line);
        let mut verdict = judge(&finding.code, facts, file, finding.place.line, last);
        if verdict == Verdict::Differs {
            // What a rule means may stand at another place of the finding, of the same file.
            let elsewhere = finding.related.iter().filter(|r| r.place.file == finding.place.file);
            let agrees = |l: u32, e: u32| judge(&finding.code, facts, file, l, e.max(l)) == Verdict::Agrees;
            if elsewhere.clone().any(|r| agrees(r.place.line, r.place.end_line)) {
                verdict = Verdict::Agrees;
            }
        }
        match verdict {
            Verdict::Agrees => {
                finding.certainty = finding.certainty.max(Certainty::Typed);
                finding.evidence.push(Evidence {
                    text: "the toolchain's types agree with what it was taken for".to_owned(),
                    source: "compiler".to_owned(),
                });
                judged.typed += 1;
                true
            }
            Verdict::Differs => {
                judged.gone += 1;
                false
            }
            Verdict::Silent => true,
        }
    });
    judged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> TypeFacts {
        let lines = [
            r#"{"k":"call","f":"/a.go","l":3,"what":"(*sync.Mutex).Lock"}"#,
            r#"{"k":"call","f":"/a.go","l":4,"what":"(*a.Diary).Lock"}"#,
            r#"{"k":"call","f":"/a.go","l":5,"what":"a.fetch","results":["*net/http.Response","error"]}"#,
            r#"{"k":"call","f":"/a.go","l":6,"what":"func value hook","dynamic":true}"#,
            r#"{"k":"literal","f":"/a.go","l":7,"what":"net/http.Client"}"#,
            r#"{"k":"range","f":"/a.go","l":8,"what":"slice"}"#,
        ];
        TypeFacts::read(lines.join("\n").as_bytes())
    }

    #[test]
    fn what_a_call_resolves_to_decides() {
        let facts = facts();
        let of = |code, line| judge(code, &facts, "/a.go", line, line);
        assert_eq!(of("lock-not-released", 3), Verdict::Agrees);
        assert_eq!(of("lock-not-released", 4), Verdict::Differs);
        assert_eq!(of("lock-not-released", 6), Verdict::Silent, "a function value may be anything");
        assert_eq!(of("lock-not-released", 99), Verdict::Silent);
        assert_eq!(of("body-not-closed", 5), Verdict::Agrees);
        assert_eq!(of("body-not-closed", 3), Verdict::Differs);
        assert_eq!(of("client-no-timeout", 7), Verdict::Agrees);
        assert_eq!(of("range-never-closed", 8), Verdict::Differs);
        assert_eq!(of("goroutine-no-exit", 3), Verdict::Silent);
    }

    #[test]
    fn findings_are_typed_or_go() {
        let finding = |code: &str, line| {
            let mut f = Finding { code: code.into(), ..Finding::default() };
            f.place.file = "/a.go".into();
            f.place.line = line;
            f
        };
        let mut findings = vec![finding("lock-order", 3), finding("lock-order", 4), finding("defer-in-loop", 3)];
        let judged = confirm(&mut findings, &facts(), Path::new("/"));
        assert_eq!(judged, Judged { typed: 1, gone: 1 });
        let left: Vec<_> = findings.iter().map(|f| (f.place.line, f.certainty)).collect();
        assert_eq!(left, [(3, Certainty::Typed), (3, Certainty::Syntactic)]);
    }
}
