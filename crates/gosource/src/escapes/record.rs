//! Allocations as the compiler tells of them: where, what, and by which flow it escapes.

/// A place in a source file, as the compiler prints it. Of inlined code it is that of the outermost call: the
/// place in the function that is compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// File, relative to where `go` ran or absolute.
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in bytes, counted from 1; 0 where it was not printed.
    pub column: u32,
}

/// A value that is allocated on the heap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Where.
    pub at: Position,
    /// Import path of the package that was compiled: the heading before it; empty in a text without any.
    pub package: String,
    /// The expression as the compiler prints it, or the name of the variable.
    pub subject: String,
    /// Whether it is a variable that was moved to the heap.
    pub is_variable: bool,
    /// How it gets there, in the order printed; empty of `-m` without `=2`.
    pub flows: Vec<Flow>,
}

/// A stretch of the way of a value: from one variable or storage to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Where it goes: a variable, `~r0` (a result), `{heap}`, `{storage for X}`.
    pub to: String,
    /// Where it comes from.
    pub from: String,
    /// By which expressions.
    pub steps: Vec<Step>,
}

/// An expression that a value goes through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The expression as the compiler prints it.
    pub what: String,
    /// What it does with the value, in the compiler's word: `return`, `send`, `call parameter`.
    pub tag: String,
    /// Where it stands.
    pub at: Position,
}

/// A call that was inlined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Inlined {
    /// The outermost call, which it is part of.
    pub at: Position,
    /// Package that was compiled.
    pub package: String,
    /// The function, with the package's name if it is of another one: `fmt.Println`, `(*T).M`.
    pub callee: String,
}

/// A value that the compiler keeps on the stack: it may be allocated all the same, where it turns out too
/// large when the program runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stays {
    /// Where.
    pub at: Position,
    /// Package that was compiled.
    pub package: String,
    /// The expression.
    pub subject: String,
}

/// What kind of expression allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A variable that was moved to the heap.
    Variable,
    /// `&T{...}` or `new(T)`.
    Pointer,
    /// `make([]T, n)`.
    MakeSlice,
    /// `make(map[K]V)`, a map's literal.
    Map,
    /// `make(chan T)`.
    Channel,
    /// `[]T{...}`.
    SliceLiteral,
    /// The slice of a call's last arguments, `f(a, b...)`.
    Variadic,
    /// `func() { ... }`, with the variables that it captured.
    Closure,
    /// `a + b` of strings.
    Concatenation,
    /// `string(b)`, `[]byte(s)`, `[]rune(s)`.
    Conversion,
    /// `append(...)`.
    Append,
    /// Anything else: a value put into an interface, or a method bound to its receiver.
    Boxed,
}

impl Subject {
    /// The kind, by what the compiler prints.
    #[must_use]
    pub fn of(text: &str, is_variable: bool) -> Self {
        if is_variable {
            return Self::Variable;
        }
        let after = |word: &str| text.strip_prefix(word);
        match text {
            "append" => return Self::Append,
            "func literal" => return Self::Closure,
            "... argument" => return Self::Variadic,
            _ => {}
        }
        if text.starts_with("append(") {
            return Self::Append;
        }
        if let Some(of) = after("make(") {
            return match () {
                () if of.starts_with("map[") => Self::Map,
                () if of.starts_with("chan ") || of.starts_with("<-chan ") => Self::Channel,
                // A named type may be any of them; a slice alone is told a size.
                () if of.starts_with('[') || of.contains(", ") => Self::MakeSlice,
                () => Self::Map,
            };
        }
        if ["string(", "[]byte(", "[]rune(", "([]byte)(", "([]rune)("].iter().any(|c| text.starts_with(c)) {
            return Self::Conversion;
        }
        // The compiler prints literals with their content left out.
        let is_literal = text.ends_with("{...}") || text.ends_with("{}");
        if text.starts_with("new(") || (text.starts_with('&') && is_literal) {
            return Self::Pointer;
        }
        if is_literal {
            return if text.starts_with("map[") {
                Self::Map
            } else if text.starts_with("[]") {
                Self::SliceLiteral
            } else {
                Self::Boxed
            };
        }
        // A sum that is put into an interface is printed as strings that are joined are.
        if text.contains(" + ") && !has_number(text) { Self::Concatenation } else { Self::Boxed }
    }

    /// Whether the text may as well be of a sum of numbers that is put into an interface: nothing in it is a
    /// string's literal.
    #[must_use]
    pub fn may_be_a_sum(text: &str) -> bool {
        text.contains(" + ") && !text.contains(['"', '`'])
    }

    /// The kind in words, as a subject of a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Variable => "the variable",
            Self::Pointer => "the value pointed to",
            Self::MakeSlice => "the slice's array",
            Self::Map => "the map",
            Self::Channel => "the channel",
            Self::SliceLiteral => "the literal's array",
            Self::Variadic => "the slice of the last arguments",
            Self::Closure => "the function literal with what it captured",
            Self::Concatenation => "the joined string",
            Self::Conversion => "the converted copy",
            Self::Append => "the array that append makes",
            Self::Boxed => "the value put into an interface",
        }
    }
}

/// Whether an operand of a sum is a number: then it is none of strings.
fn has_number(text: &str) -> bool {
    !text.contains(['"', '`']) && text.split(" + ").any(|o| o.trim().chars().all(|c| c.is_ascii_digit() || c == '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_told_apart_by_how_they_are_printed() {
        let of = |t| Subject::of(t, false);
        assert_eq!(Subject::of("t", true), Subject::Variable);
        assert_eq!(of("&T{...}"), Subject::Pointer);
        assert_eq!(of("new(bytes.Buffer)"), Subject::Pointer);
        assert_eq!(of("make([]byte, n)"), Subject::MakeSlice);
        assert_eq!(of("make(Ids, 0, n)"), Subject::MakeSlice);
        assert_eq!(of("make(map[string]int)"), Subject::Map);
        assert_eq!(of("map[go.shape.string]go.shape.int{}"), Subject::Map);
        assert_eq!(of("make(chan *T, 3)"), Subject::Channel);
        assert_eq!(of("[]int{...}"), Subject::SliceLiteral);
        assert_eq!(of("... argument"), Subject::Variadic);
        assert_eq!(of("func literal"), Subject::Closure);
        assert_eq!(of("a + b"), Subject::Concatenation);
        assert_eq!(of("i + 1000"), Subject::Boxed);
        assert_eq!(of("s + \"1 + 1\""), Subject::Concatenation);
        assert!(Subject::may_be_a_sum("a + b") && !Subject::may_be_a_sum("a + \"b\""));
        assert_eq!(of("string(b)"), Subject::Conversion);
        assert_eq!(of("([]byte)(s)"), Subject::Conversion);
        assert_eq!(of("append"), Subject::Append);
        assert_eq!(of("T{...}"), Subject::Boxed);
        assert_eq!(of("n"), Subject::Boxed);
    }
}
