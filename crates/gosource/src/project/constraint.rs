//! Build constraints: `//go:build` lines, the older `// +build`, and names of files (`x_linux_amd64.go`).

use std::collections::BTreeSet;

/// The systems that names of files may end with (`go/build`, list of known systems).
const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];
/// The processors likewise.
const PROCESSORS: &[&str] = &[
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "armbe",
    "arm64",
    "arm64be",
    "loong64",
    "mips",
    "mipsle",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];
/// Systems for which `unix` holds.
const UNIX: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "linux",
    "netbsd",
    "openbsd",
    "solaris",
];
/// Parentheses and operators of one expression.
const MAX_TOKENS: usize = 1000;

/// For which system, processor and tags files are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// GOOS.
    pub system: String,
    /// GOARCH.
    pub processor: String,
    /// Tags given with `-tags`.
    pub tags: BTreeSet<String>,
}

impl Default for Platform {
    fn default() -> Self {
        Self { system: "linux".into(), processor: "amd64".into(), tags: BTreeSet::new() }
    }
}

impl Platform {
    /// Whether a tag holds. Release tags (`go1.21`) all do: old twins of new files are left out.
    fn has(&self, tag: &str) -> bool {
        tag == self.system
            || tag == self.processor
            || tag == "cgo"
            || tag == "gc"
            || tag == "unix" && UNIX.contains(&self.system.as_str())
            || tag.strip_prefix("go1.").is_some_and(|minor| minor.parse::<u32>().is_ok())
            || self.tags.contains(tag)
    }

    /// Whether a file of this name is built: `_test` aside, its last words may be a system and a processor.
    pub(super) fn takes_name(&self, name: &str) -> bool {
        let stem = name.strip_suffix(".go").unwrap_or(name);
        let stem = stem.strip_suffix("_test").unwrap_or(stem);
        // What stands before the first underscore is never a constraint: `linux.go` is built everywhere.
        let Some((_, words)) = stem.split_once('_') else { return true };
        let mut words: Vec<&str> = words.split('_').collect();
        let last = words.pop().unwrap_or_default();
        if PROCESSORS.contains(&last) {
            let system = words.pop().unwrap_or_default();
            return self.has(last) && (!SYSTEMS.contains(&system) || self.has(system));
        }
        !SYSTEMS.contains(&last) || self.has(last)
    }

    /// Whether the lines before the package clause let the file be built.
    pub(super) fn takes_header(&self, header: &str) -> bool {
        let lines = || header.lines().map(str::trim);
        if let Some(expression) = lines().find_map(|l| l.strip_prefix("//go:build ")) {
            return self.holds(expression);
        }
        lines().filter_map(|l| l.strip_prefix("//")?.trim_start().strip_prefix("+build ")).all(|line| {
            // Blanks are or, commas are and, an exclamation mark is not.
            line.split_whitespace().any(|any| any.split(',').all(|t| self.has_or_not(t)))
        })
    }

    fn has_or_not(&self, term: &str) -> bool {
        term.strip_prefix('!').map_or_else(|| self.has(term), |t| !self.has(t))
    }

    /// `a && (b || !c)`, without recursion. What is no such expression holds: Go says what is wrong with it.
    fn holds(&self, expression: &str) -> bool {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('!', " ! ");
        let spaced = spaced.replace("&&", " && ").replace("||", " || ");
        let (mut values, mut operators): (Vec<bool>, Vec<&str>) = (Vec::new(), Vec::new());
        for token in spaced.split_whitespace().take(MAX_TOKENS) {
            match token {
                "(" | "!" => operators.push(token),
                ")" => {
                    while let Some(op) = operators.pop().filter(|op| *op != "(") {
                        apply(op, &mut values);
                    }
                    negate(&mut operators, &mut values);
                }
                "&&" | "||" => {
                    let rank = |op: &str| u8::from(op == "&&");
                    while operators.last().is_some_and(|op| *op != "(" && *op != "!" && rank(op) >= rank(token)) {
                        apply(operators.pop().unwrap_or_default(), &mut values);
                    }
                    operators.push(token);
                }
                tag => {
                    values.push(self.has(tag));
                    negate(&mut operators, &mut values);
                }
            }
        }
        while let Some(op) = operators.pop() {
            apply(op, &mut values);
        }
        values.pop().unwrap_or(true)
    }
}

fn negate(operators: &mut Vec<&str>, values: &mut [bool]) {
    while operators.last() == Some(&"!") {
        operators.pop();
        if let Some(v) = values.last_mut() {
            *v = !*v;
        }
    }
}

fn apply(op: &str, values: &mut Vec<bool>) {
    if let (Some(b), Some(a)) = (values.pop(), values.pop()) {
        values.push(if op == "&&" { a && b } else { a || b });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let p = Platform::default();
        for name in ["a.go", "linux.go", "a_linux.go", "a_amd64.go", "a_linux_amd64_test.go", "windows_x.go", "a_b.go"]
        {
            assert!(p.takes_name(name), "{name}");
        }
        for name in ["a_windows.go", "a_arm64.go", "a_linux_arm64.go", "a_darwin_amd64.go", "a_windows_test.go"] {
            assert!(!p.takes_name(name), "{name}");
        }
    }

    #[test]
    fn expressions() {
        let p = Platform::default();
        for yes in [
            "linux",
            "!windows",
            "linux && amd64",
            "windows || (linux && !arm64)",
            "unix",
            "!(windows || js)",
            "go1.18",
        ] {
            assert!(p.takes_header(&format!("// x\n\n//go:build {yes}\n")), "{yes}");
        }
        for no in ["ignore", "!linux", "linux && arm64", "!(linux || js)", "windows || darwin && linux", "race"] {
            assert!(!p.takes_header(&format!("//go:build {no}\n")), "{no}");
        }
        assert!(p.takes_header("// +build linux,amd64 windows\n"));
        assert!(!p.takes_header("// +build linux\n// +build ignore\n"));
        // Not an expression: no panic, and no end.
        for odd in ["", ")(", "&& ||", "((((", "!!!"] {
            p.takes_header(&format!("//go:build {odd}"));
        }
    }
}
