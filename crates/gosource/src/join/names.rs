//! Names of functions: `net/http.(*conn).serve.func1` as the linker spells them, taken apart.

/// A function's name, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Function {
    /// Import path of its package; `main` of a command's.
    pub package: String,
    /// Type that it is a method of, without the star and without type arguments; empty of functions.
    pub receiver: String,
    /// Name of the function or method that it is, or is a literal of; without type arguments.
    pub name: String,
    /// Whether it is a function literal within that.
    pub is_literal: bool,
}

impl Function {
    /// Takes a name apart. What has no package has an empty one.
    #[must_use]
    pub fn parse(symbol: &str) -> Self {
        let flat = without_type_arguments(symbol);
        // The path of a package may have dots and brackets have slashes: the name begins at the first dot
        // behind the last slash.
        let behind_slash = flat.rfind('/').map_or(0, |at| at + 1);
        let last = flat.get(behind_slash..).unwrap_or_default();
        let Some(dot) = last.find('.') else {
            return Self { name: flat, ..Self::default() };
        };
        let split = behind_slash + dot;
        let package = unescaped(flat.get(..split).unwrap_or_default());
        let rest = flat.get(split + 1..).unwrap_or_default();
        let mut parts = rest.split('.');
        let first = parts.next().unwrap_or_default();
        let (receiver, name) = if let Some(of) = first.strip_prefix("(*").and_then(|r| r.strip_suffix(')')) {
            (of, parts.next().unwrap_or_default())
        } else {
            // `T.M` and `f.func1` are spelled alike: literals are called `funcN`, `gowrapN`, `deferwrapN`,
            // or after the function that they were inlined from.
            let mut ahead = parts.clone();
            match ahead.next() {
                Some(second) if !is_literal(second) && is_word(second) && is_type_like(first, second) => {
                    parts = ahead;
                    (first, second)
                }
                _ => ("", first),
            }
        };
        let mut is_literal = parts.next().is_some();
        let mut name = name.trim_end_matches("-fm");
        // The body of a loop over a function is a literal of its own: `Insert-range1`.
        while let Some((of, number)) = name.rsplit_once("-range")
            && number.chars().all(|c| c.is_ascii_digit())
        {
            (name, is_literal) = (of, true);
        }
        Self { package, receiver: receiver.to_owned(), name: name.to_owned(), is_literal }
    }

    /// The name as the compiler prints it of a call that it inlines, seen from a package: `fmt.Println`,
    /// `strings.(*Builder).grow`, `small` of the same package.
    #[must_use]
    pub fn is_called(&self, callee: &str) -> bool {
        let callee = without_type_arguments(callee);
        let mut words: Vec<&str> = callee.split('.').collect();
        let bare = |w: &str| w.trim_start_matches("(*").trim_end_matches(')').to_owned();
        // A package's own name before its functions, of another package alone.
        let package = self.package.rsplit('/').next().unwrap_or_default();
        let own: Vec<String> = [&self.receiver, &self.name].into_iter().filter(|w| !w.is_empty()).cloned().collect();
        let matches = |words: &[&str]| {
            words.len() >= own.len()
                && words.iter().zip(&own).all(|(w, o)| bare(w) == *o)
                && (words.len() > own.len()) == self.is_literal
        };
        if matches(&words) {
            return true;
        }
        let first = words.first().copied().unwrap_or_default();
        // A package may be called otherwise than its folder (`yaml` in `gopkg.in/yaml.v3`, `v2`): then the
        // rest must do.
        if words.len() > own.len()
            && !first.starts_with('(')
            && (first == package || package.contains(first) || is_version(package))
        {
            words.remove(0);
            return matches(&words);
        }
        false
    }
}

/// Of `main.F` and a literal, whether what is before the dot is a type: of a literal inlined elsewhere a
/// function's name stands there. Methods of values are rare enough in both that a capital letter decides.
fn is_type_like(first: &str, second: &str) -> bool {
    !first.is_empty() && !second.is_empty() && first != "glob" && first != "init"
}

fn is_literal(word: &str) -> bool {
    let of =
        |prefix: &str| word.strip_prefix(prefix).is_some_and(|n| n.chars().all(|c| c.is_ascii_digit() || c == '-'));
    of("func") || of("gowrap") || of("deferwrap") || word.chars().all(|c| c.is_ascii_digit())
}

fn is_word(word: &str) -> bool {
    word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

fn is_version(word: &str) -> bool {
    word.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()))
}

/// `pkg.F[...]`, `List[go.shape.int].Add`: without what is in brackets.
fn without_type_arguments(symbol: &str) -> String {
    let mut depth = 0usize;
    let mut out = String::with_capacity(symbol.len());
    for c in symbol.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

/// `gopkg.in/yaml%2ev3` is `gopkg.in/yaml.v3`: the linker spells dots of the last element so.
fn unescaped(path: &str) -> String {
    if !path.contains('%') {
        return path.to_owned();
    }
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let mut ahead = bytes.clone();
            let digits = (ahead.next().map(char::from), ahead.next().map(char::from));
            if let (Some(Some(high)), Some(Some(low))) =
                (digits.0.map(|c| c.to_digit(16)), digits.1.map(|c| c.to_digit(16)))
            {
                out.push((high * 16 + low) as u8);
                bytes = ahead;
                continue;
            }
        }
        out.push(b);
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(symbol: &str) -> (String, String, String, bool) {
        let f = Function::parse(symbol);
        (f.package, f.receiver, f.name, f.is_literal)
    }

    fn of(package: &str, receiver: &str, name: &str, is_literal: bool) -> (String, String, String, bool) {
        (package.into(), receiver.into(), name.into(), is_literal)
    }

    #[test]
    fn symbols_taken_apart() {
        assert_eq!(parts("net/http.(*conn).serve.func1"), of("net/http", "conn", "serve", true));
        assert_eq!(parts("main.main"), of("main", "", "main", false));
        assert_eq!(parts("main.f.func1.2"), of("main", "", "f", true));
        assert_eq!(parts("main.T.Len"), of("main", "T", "Len", false));
        assert_eq!(parts("gopkg.in/yaml%2ev3.Unmarshal"), of("gopkg.in/yaml.v3", "", "Unmarshal", false));
        assert_eq!(parts("slices.SortFunc[go.shape.[]a/b.T,go.shape.int]"), of("slices", "", "SortFunc", false));
        assert_eq!(parts("a/b.(*List[...]).Add"), of("a/b", "List", "Add", false));
        assert_eq!(parts("main.(*T).M-fm"), of("main", "T", "M", false));
        assert_eq!(parts("main.glob..func1"), of("main", "", "glob", true));
        assert_eq!(parts("a/server.(*Sublist).Insert-range1"), of("a/server", "Sublist", "Insert", true));
        assert_eq!(parts("cgo"), of("", "", "cgo", false));
        assert_eq!(parts("main.main.gowrap1"), of("main", "", "main", true));
    }

    #[test]
    fn a_call_that_was_inlined_is_known_by_its_function() {
        let called = |symbol: &str, callee: &str| Function::parse(symbol).is_called(callee);
        assert!(called("main.small", "small"));
        assert!(called("fmt.Println", "fmt.Println"));
        assert!(called("strings.(*Builder).grow", "strings.(*Builder).grow"));
        assert!(called("main.(*impl).M", "(*impl).M"));
        assert!(called("main.NewG[...]", "NewG[go.shape.string,go.shape.int]"));
        assert!(called("main.closure.func1", "closure.func1"));
        assert!(called("gopkg.in/yaml%2ev3.Unmarshal", "yaml.Unmarshal"));
        assert!(called("a/b/v2.F", "b.F"));
        assert!(!called("main.small", "fmt.small2"));
        assert!(!called("main.small", "other.small"));
        assert!(!called("main.closure", "closure.func1"));
        assert!(!called("strings.(*Builder).grow", "bytes.(*Buffer).grow"));
    }
}
