//! Why a value is on the heap, read off the flow that the compiler prints.
//!
//! Five causes have numbers, as the notes count them that many Go programmers learned from: a pointer that is
//! returned (1), one sent on a channel (2), one stored in a slice (3), an append beyond the capacity (4), a
//! call whose target is known at run time alone (5). The others have names only.

use super::record::{Allocation, Step, Subject};

/// Why a value is on the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// It is returned, and lives longer than the call (1).
    Returned,
    /// It is sent on a channel (2).
    Sent,
    /// A pointer to it is stored in a slice: `[]*T` (3).
    InSlice,
    /// `append` beyond the capacity (4).
    Growth,
    /// It is handed to a method of an interface, or to a function that is a value: what is called is known
    /// when the program runs (5).
    DynamicCall,
    /// It is stored in something that is on the heap, or in a package variable.
    Stored,
    /// A function literal that outlives the call captured it.
    Captured,
    /// It is put into an interface.
    Boxed,
    /// It is handed to a function that keeps it.
    Kept,
    /// It is a key or a value of a map.
    InMap,
    /// Its size is known at run time alone.
    SizeUnknown,
    /// It is too large for a stack.
    TooLarge,
    /// The compiler says that it is on the heap, and not by which way.
    Unexplained,
    /// A map that is filled grows.
    MapGrowth,
    /// Strings are joined.
    Joined,
    /// A string, or bytes of it, are copied to be the other.
    Converted,
    /// A goroutine is started.
    Goroutine,
    /// The compiler would have it on the stack, but it is too large for the room that is there.
    OutgrewStack,
    /// A function of the runtime allocates: there is no more to be seen of it in the source.
    Runtime,
}

impl Reason {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::Returned,
        Self::Sent,
        Self::InSlice,
        Self::Growth,
        Self::DynamicCall,
        Self::Stored,
        Self::Captured,
        Self::Boxed,
        Self::Kept,
        Self::InMap,
        Self::SizeUnknown,
        Self::TooLarge,
        Self::Unexplained,
        Self::MapGrowth,
        Self::Joined,
        Self::Converted,
        Self::Goroutine,
        Self::OutgrewStack,
        Self::Runtime,
    ];

    /// Its name in documents.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Sent => "sent",
            Self::InSlice => "in-slice",
            Self::Growth => "append-growth",
            Self::DynamicCall => "dynamic-call",
            Self::Stored => "stored",
            Self::Captured => "captured",
            Self::Boxed => "boxed",
            Self::Kept => "kept-by-callee",
            Self::InMap => "in-map",
            Self::SizeUnknown => "size-unknown",
            Self::TooLarge => "too-large",
            Self::Unexplained => "unexplained",
            Self::MapGrowth => "map-growth",
            Self::Joined => "joined",
            Self::Converted => "converted",
            Self::Goroutine => "goroutine",
            Self::OutgrewStack => "outgrew-stack",
            Self::Runtime => "runtime",
        }
    }

    /// Its number in the notes, of those that have one.
    #[must_use]
    pub fn number(self) -> Option<u8> {
        match self {
            Self::Returned => Some(1),
            Self::Sent => Some(2),
            Self::InSlice => Some(3),
            Self::Growth => Some(4),
            Self::DynamicCall => Some(5),
            _ => None,
        }
    }

    /// Whether it is growth that no compiler can foresee: the profile alone shows it.
    #[must_use]
    pub fn is_of_run_time(self) -> bool {
        matches!(
            self,
            Self::Growth
                | Self::MapGrowth
                | Self::Joined
                | Self::Converted
                | Self::Goroutine
                | Self::OutgrewStack
                | Self::Runtime
        )
    }

    /// What happens to the value, as the predicate of a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Returned => "is returned, and outlives the call",
            Self::Sent => "is sent on a channel",
            Self::InSlice => "is pointed to by an element of a slice",
            Self::Growth => "is made anew by append whenever the capacity is used up",
            Self::DynamicCall => {
                "is handed to a call through an interface or a function value, whose target is not known when it is compiled"
            }
            Self::Stored => "is stored where it outlives the call",
            Self::Captured => "is captured by a function literal that outlives the call",
            Self::Boxed => "is put into an interface",
            Self::Kept => "is handed to a function that keeps it",
            Self::InMap => "is stored in a map",
            Self::SizeUnknown => "has a size that is known at run time alone",
            Self::TooLarge => "is too large for a stack",
            Self::Unexplained => "is on the heap",
            Self::MapGrowth => "grows as it is filled",
            Self::Joined => "is made anew by each joining",
            Self::Converted => "is a copy made by a conversion",
            Self::Goroutine => "is what a goroutine is started with",
            Self::OutgrewStack => "may stay on the stack, but is larger than the room there",
            Self::Runtime => "is made by the runtime",
        }
    }

    /// Why the compiler put a value on the heap. `is_package` tells whether a name before a dot is that of an
    /// imported package: else a call through it is of a method or a field.
    #[must_use]
    pub fn of(allocation: &Allocation, is_package: &dyn Fn(&str) -> bool) -> Self {
        let subject = Subject::of(&allocation.subject, allocation.is_variable);
        let steps = || allocation.flows.iter().flat_map(|f| &f.steps);
        if steps().any(|s| s.tag.starts_with("too large")) {
            return Self::TooLarge;
        }
        if steps().any(|s| s.tag == "non-constant size") {
            return Self::SizeUnknown;
        }
        match subject {
            Subject::Append => return Self::Growth,
            Subject::Concatenation => return Self::Joined,
            Subject::Conversion => return Self::Converted,
            Subject::Boxed => return Self::Boxed,
            _ => {}
        }
        // Where its own address goes first matters more than what becomes of that thing later: of a value
        // that a slice points to, and the slice returned, it is the slice that keeps it. What is read through
        // a pointer is another's: the compiler tells of `v.tags` appended to as of all that is in `v`.
        let early = allocation.flows.iter().find_map(|flow| {
            let own = flow.steps.iter().take_while(|s| !matches!(s.tag.as_str(), "dot of pointer" | "indirection"));
            own.into_iter().find_map(|s| match s.tag.as_str() {
                "slice-literal-element" | "array literal element" => Some(Self::InSlice),
                "call parameter" if s.what.starts_with("append(") => Some(Self::InSlice),
                "captured by a closure" => Some(Self::Captured),
                "key of map put" | "map literal key" | "map literal value" => Some(Self::InMap),
                "struct literal element" => Some(Self::Stored),
                "send" => Some(Self::Sent),
                _ => None,
            })
        });
        if let Some(reason) = early {
            return reason;
        }
        let Some(last) = allocation.flows.iter().rev().find_map(|f| f.steps.last()) else { return Self::Unexplained };
        Self::of_last(last, is_package)
    }

    fn of_last(last: &Step, is_package: &dyn Fn(&str) -> bool) -> Self {
        match last.tag.as_str() {
            "return" => Self::Returned,
            "call parameter" if is_dynamic(&last.what, is_package) => Self::DynamicCall,
            "call parameter" | "appended slice..." | "copied slice" => Self::Kept,
            "callee operand" => Self::DynamicCall,
            tag if tag.starts_with("assign") || tag == "struct literal element" => Self::Stored,
            // What is left of a way whose end is not printed: `&x` alone, a spill into a literal.
            _ => Self::Stored,
        }
    }
}

/// Whether a call as the compiler prints it is through an interface or a function value. It prints a call of
/// a method that it knows as `(*T).M(x, y)` or `T.M(x)`, one of a function with its package's name, or bare.
fn is_dynamic(call: &str, is_package: &dyn Fn(&str) -> bool) -> bool {
    let callee = callee(call);
    let Some((before, name)) = callee.rsplit_once('.') else { return false };
    if name.is_empty() || before.ends_with(')') && before.starts_with('(') {
        return false;
    }
    // Generics: `pkg.F[...]`, `(*List[...]).Add`, `List[int].Len`.
    let before = before.split('[').next().unwrap_or(before);
    let first = before.split('.').next().unwrap_or(before);
    // `T.M(x)`: a method expression of a type of this package or, behind a name of one, of another's.
    let is_type = |name: &str| name.chars().next().is_some_and(char::is_uppercase);
    if before.split_once('.').is_some_and(|(package, t)| is_package(package) && is_type(t)) {
        return false;
    }
    !is_package(first) && !is_type(first)
}

/// The expression before the brackets of the arguments.
fn callee(call: &str) -> &str {
    // `(*T).M(x)`: the bracket that opens the last pair at depth 0.
    let mut depth = 0usize;
    let mut open = None;
    for (i, c) in call.char_indices() {
        match c {
            '(' | '[' | '{' => {
                if depth == 0 && c == '(' {
                    open = Some(i);
                }
                depth += 1;
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    open.and_then(|at| call.get(..at)).unwrap_or(call)
}

#[cfg(test)]
mod tests {
    use super::super::read::{Bounds, read};
    use super::*;

    fn reason(text: &str) -> Reason {
        let text = read(text.as_bytes(), &|_: &str, _: &str, _: u32| true, Bounds::default());
        Reason::of(&text.allocations[0], &|name| matches!(name, "fmt" | "os"))
    }

    fn moved(steps: &str) -> Reason {
        reason(&format!("a.go:1:2: t escapes to heap:\n{steps}a.go:1:2: moved to heap: t\n"))
    }

    #[test]
    fn the_five_and_the_others() {
        let flow = |to: &str, step: &str| {
            format!(
                "a.go:1:2:   flow: {to} = &t:\na.go:1:2:     from &t (address-of) at a.go:2:3\na.go:1:2:     from {step} at a.go:2:3\n"
            )
        };
        assert_eq!(moved(&flow("~r0", "return &t (return)")), Reason::Returned);
        assert_eq!(moved(&flow("{heap}", "c <- &t (send)")), Reason::Sent);
        assert_eq!(moved(&flow("{heap}", "append(out, &t) (call parameter)")), Reason::InSlice);
        assert_eq!(moved(&flow("{heap}", "i.M(&t) (call parameter)")), Reason::DynamicCall);
        assert_eq!(moved(&flow("{heap}", "fmt.Fprintln(os.Stdout, a...) (call parameter)")), Reason::Kept);
        assert_eq!(moved(&flow("{heap}", "(*impl).M(i.(*impl), &t) (call parameter)")), Reason::Kept);
        assert_eq!(moved(&flow("{heap}", "os.File.Close(f) (call parameter)")), Reason::Kept);
        assert_eq!(moved(&flow("{heap}", "keep(f(x), &t) (call parameter)")), Reason::Kept);
        assert_eq!(moved(&flow("{heap}", "s.a.b.hook(&t) (call parameter)")), Reason::DynamicCall);
        assert_eq!(moved(&flow("{heap}", "g = &t (assign)")), Reason::Stored);
        assert_eq!(moved(&flow("{storage for func literal}", "t (captured by a closure)")), Reason::Captured);
        assert_eq!(moved(&flow("{heap}", "t (too large for stack)")), Reason::TooLarge);
        assert_eq!(moved(""), Reason::Unexplained);
        assert_eq!(reason("a.go:1:2: append escapes to heap\n"), Reason::Growth);
        assert_eq!(reason("a.go:1:2: n escapes to heap\n"), Reason::Boxed);
        assert_eq!(reason("a.go:1:2: a + b escapes to heap\n"), Reason::Joined);
    }

    #[test]
    fn codes_are_each_ones_own() {
        let codes: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        let numbers: Vec<_> = Reason::ALL.iter().filter_map(|r| r.number()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
    }
}
