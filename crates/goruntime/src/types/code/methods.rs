//! Methods by where their code begins: what they are called on, and how. A descriptor of a type with a name,
//! or of a pointer to such, lists its methods with the offsets of their code and their types
//! (`abi.UncommonType`, `abi.Method`), which the linker fills in for all whose code is in the binary. Source:
//! `internal/abi/type.go`, the same from Go 1.19 to 1.27.
//!
//! Where a type is used by no interface, it is the function's own name that says what it is called on: only
//! types of a package's own have methods.

use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use super::super::kind::Kind;
use super::functions::Functions;
use super::section::{Descriptor, Section};
use super::signature::Receiver;

/// Methods that are kept.
const MAX_METHODS: usize = 1 << 20;

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Method {
    pub(super) receiver: Receiver,
    /// Its type, which has no receiver; `None` where nothing but the receiver is known.
    pub(super) signature: Option<Addr>,
}

/// All that are known, by where their code begins.
#[derive(Default)]
pub(super) struct Methods {
    all: FxHashMap<Addr, Method>,
}

impl Methods {
    /// Those of the program's own types. `functions` must have their names still.
    pub(super) fn read(section: &Section<'_>, functions: &Functions) -> Self {
        let mut found = Self::default();
        // Types by package and name; `None` where several have one.
        let mut named: FxHashMap<(&str, &str), Option<Addr>> = FxHashMap::default();
        for of in section.with_methods() {
            if of.kind != Kind::Pointer
                && let Some(package) = section.package(&of)
            {
                named.entry((package, short(of.name))).and_modify(|known| *known = None).or_insert(Some(of.of));
            }
            found.add_table(section, &of, functions);
        }
        for (entry, _) in functions.all() {
            if !found.all.contains_key(entry)
                && let Some((package, of)) = functions.name(*entry).and_then(receiver_in_name)
                && let Some(Some(of)) = named.get(&(package, of))
            {
                found.add(*entry, Method { receiver: Receiver::Pointer(*of), signature: None });
            }
        }
        found
    }

    pub(super) fn get(&self, entry: Addr) -> Option<Method> {
        self.all.get(&entry).copied()
    }

    fn add(&mut self, entry: Addr, method: Method) {
        if self.all.len() < MAX_METHODS {
            self.all.insert(entry, method);
        }
    }

    /// The methods that a descriptor lists, as far as the functions there have their names.
    fn add_table(&mut self, section: &Section<'_>, of: &Descriptor<'_>, functions: &Functions) {
        let mut add = |entry: Option<Addr>, name: &str, receiver: Receiver, signature: Option<Addr>| {
            if let Some(entry) = entry
                && functions.name(entry).is_some_and(|f| is_method(f, short(of.name), name, receiver))
            {
                self.add(entry, Method { receiver, signature });
            }
        };
        for method in section.methods(of) {
            let Some(name) = section.name(method.name) else { return };
            if of.kind == Kind::Pointer {
                add(method.code, name, Receiver::Pointer(of.of), method.of);
            } else {
                add(method.code, name, Receiver::Value(of.of), method.of);
                // Interfaces call it by a pointer to the value, which a function of its own takes apart.
                add(method.by_interface, name, Receiver::Pointer(of.of), method.of);
            }
        }
    }
}

/// A type's name without its package and without type arguments.
fn short(name: &str) -> &str {
    let base = name.split_once('[').map_or(name, |(base, _)| base);
    base.rsplit_once('.').map_or(base, |(_, short)| short)
}

/// Whether a function is the method of a name of a type: `a/b.(*T).Name`, `a/b.T[...].Name`.
fn is_method(function: &str, of: &str, method: &str, receiver: Receiver) -> bool {
    let Some(rest) = function.strip_suffix(method).and_then(|rest| rest.strip_suffix('.')) else { return false };
    let rest = match receiver {
        Receiver::Pointer(_) => rest.strip_suffix(')'),
        Receiver::Value(_) => Some(rest),
    };
    let rest = rest.map(|rest| match rest.strip_suffix(']') {
        Some(generic) => generic.split_once('[').map_or(rest, |(base, _)| base),
        None => rest,
    });
    let rest = rest.and_then(|rest| rest.strip_suffix(of));
    rest.is_some_and(|rest| match receiver {
        Receiver::Pointer(_) => rest.ends_with(".(*"),
        Receiver::Value(_) => rest.ends_with('.'),
    })
}

/// Package and type of a function that is called on a pointer, `a/b.(*T).method`: not of what stands within
/// one, nor of generic code.
fn receiver_in_name(function: &str) -> Option<(&str, &str)> {
    let (package, rest) = function.split_once(".(*")?;
    let (of, method) = rest.split_once(").")?;
    let is_plain = |name: &str| !name.is_empty() && !name.contains(['.', '-', '[', '%', '(', ')']);
    (is_plain(of) && is_plain(method) && !package.contains(['%', '['])).then_some((package, of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_is_called_on_by_its_name() {
        assert_eq!(receiver_in_name("a.com/b/c.(*T).do"), Some(("a.com/b/c", "T")));
        for other in ["main.T.do", "main.(*T).do.func1", "main.(*T).do-fm", "main.(*T[...]).do", "a/b%2ec.(*T).do"] {
            assert_eq!(receiver_in_name(other), None, "{other}");
        }
    }

    #[test]
    fn a_method_has_its_types_name() {
        let (pointer, value) = (Receiver::Pointer(Addr(8)), Receiver::Value(Addr(8)));
        assert!(is_method("a.com/b.(*T).Do", "T", "Do", pointer));
        assert!(is_method("a.com/b.(*Pair[...]).Do", "Pair", "Do", pointer));
        assert!(is_method("main.Pair[...].Do", "Pair", "Do", value));
        assert!(is_method("main.T.Do", "T", "Do", value));
        for (function, receiver) in [
            ("main.(*T).Do", value),
            ("main.T.Do", pointer),
            ("main.(*ST).Do", pointer),
            ("main.(*T).ReDo", pointer),
            ("main.T.Do.func1", value),
        ] {
            assert!(!is_method(function, "T", "Do", receiver), "{function}");
        }
        assert_eq!((short("b.T"), short("b.Pair[a.X,b.Y]"), short("int")), ("T", "Pair", "int"));
    }
}
