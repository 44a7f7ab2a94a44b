//! Whose code a frame is. A reader can change their own code, hardly the standard library: a site is named by
//! the innermost frame that is theirs.

use crate::facts::{Facts, Frame};

/// Whose code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// Of the main module, or of package main.
    Program,
    /// Of a module that it depends on.
    Dependency,
    /// Go's own.
    StandardLibrary,
}

/// Import path of a function's package: `net/http` for `net/http.(*conn).serve`, `example.com/a/b` for
/// `example.com/a/b.F`.
pub(crate) fn package(function: &str) -> &str {
    // Type arguments have import paths of their own.
    let function = function.find('[').and_then(|open| function.get(..open)).unwrap_or(function);
    let base = function.rfind('/').map_or(0, |i| i + 1);
    let dot = function.get(base..).and_then(|f| f.find('.')).map_or(function.len(), |i| base + i);
    function.get(..dot).unwrap_or(function)
}

/// The type of a pointer method: `main.(*cache)` of `main.(*cache).store`.
pub(crate) fn receiver(function: &str) -> Option<&str> {
    let end = function.find(')')?;
    function.get(..=end).filter(|r| r.contains(".(*"))
}

/// Whether a receiver is of a type as the runtime writes it: `acme.dev/go-shop/v2.(*Cart)` of `shop.Cart`. A
/// symbol has the import path, a type the name of the package, which its path has somewhere in its last
/// element that is no version. (Seen blind: names were compared whole, and only in `main` is that the same.)
pub(crate) fn is_receiver_of(receiver: &str, type_name: &str) -> bool {
    let plain = receiver.replacen("(*", "", 1).replacen(')', "", 1);
    let (Some((path, own)), Some((package, name))) = (plain.rsplit_once('.'), type_name.split_once('.')) else {
        return false;
    };
    own == name && is_named(path, package)
}

/// Whether the package of an import path may have that name.
fn is_named(path: &str, package: &str) -> bool {
    let is_version = |e: &&str| e.strip_prefix('v').is_some_and(|n| n.parse::<u32>().is_ok());
    path.rsplit('/').find(|e| !is_version(e)).unwrap_or(path).contains(package)
}

/// Whether a function is of the package that the elements of a type are of: `shop/trace.(*Tracer).Start` of
/// `map[uint64]*trace.tree`.
pub(crate) fn is_of_its_elements(function: &str, type_name: &str) -> bool {
    package_of_elements(type_name).is_some_and(|of| is_named(package(function), of))
}

/// The name of the package that the elements of a type are of; `None` of those of the language's own types.
pub(crate) fn package_of_elements(type_name: &str) -> Option<&str> {
    let element = type_name.rsplit(['*', '[', ']', ' ']).find(|part| part.contains('.'));
    // A type argument is written with the path of its package.
    let element = element.and_then(|e| e.rsplit('/').next());
    element.and_then(|e| e.split_once('.')).map(|(of, _)| of).filter(|of| !of.is_empty())
}

/// Whether a function is of the package of a type, or of that of its elements or type arguments:
/// `shop/lru.(*Cache[...]).Put` of `lru.Cache[string,*shop/page.Page]`, and `shop/page.Render` too.
pub(crate) fn is_of_package_of(function: &str, type_name: &str) -> bool {
    let own = type_name.split('[').next().and_then(|name| name.trim_start_matches('*').split_once('.'));
    own.is_some_and(|(of, _)| is_named(package(function), of)) || is_of_its_elements(function, type_name)
}

/// Whether a function is a method of a type: `shop/bus.(*Bus).Publish` of `bus.Bus`.
pub(crate) fn is_method_of(function: &str, type_name: &str) -> bool {
    receiver(function).is_some_and(|receiver| is_receiver_of(receiver, type_name))
}

/// Whether a function is of Go's standard library: its import path has no dot in the first element, which
/// every module's has, and is not `main`.
pub(crate) fn is_standard_library(function: &str, module: &str) -> bool {
    owner(function, module) == Owner::StandardLibrary
}

/// Whether a function is of neither the program's module nor package main.
pub(crate) fn is_of_a_library(function: &str, module: &str) -> bool {
    owner(function, module) != Owner::Program
}

fn owner(function: &str, module: &str) -> Owner {
    let package = package(function);
    // The linker writes dots of the last path element as %2e; the first element keeps them.
    let first = package.split('/').next().unwrap_or("");
    let inside =
        |m: &str| !m.is_empty() && (package == m || package.strip_prefix(m).is_some_and(|r| r.starts_with('/')));
    if package == "main" || inside(module) {
        Owner::Program
    } else if first.contains('.') {
        Owner::Dependency
    } else {
        Owner::StandardLibrary
    }
}

/// Position in a stack (innermost first) of the frame that owns the allocation: the innermost of the program,
/// else of a dependency, else the innermost.
pub(crate) fn owning_frame(facts: &Facts, stack: &[u32]) -> Option<usize> {
    let is = |at: usize, name: &str| stack.get(at).and_then(|f| frame(facts, *f)).is_some_and(|f| f.function == name);
    // What a pool calls to have a new one is a line that nobody can act on: who asks the pool is.
    let of_a_pool = |at: usize| is(at + 1, "sync.(*Pool).Get");
    let of = |want: Owner| {
        let owned = |at: usize, f: u32| {
            frame(facts, f).is_some_and(|f| owner(&f.function, &facts.target.module.path) == want) && !of_a_pool(at)
        };
        stack.iter().enumerate().position(|(at, f)| owned(at, *f))
    };
    of(Owner::Program).or_else(|| of(Owner::Dependency)).or_else(|| of_the_library(facts, stack))
}

/// Of a stack that is all Go's own: the innermost frame of the outermost package, which says whose it is,
/// where the innermost of all says what any program does (seen from outside: `bytes.growSlice`, of what
/// `os/exec` collects of a command).
fn of_the_library(facts: &Facts, stack: &[u32]) -> Option<usize> {
    let package_at = |f: u32| frame(facts, f).map(|f| package(&f.function)).filter(|p| *p != "runtime");
    let Some(outermost) = stack.iter().rev().find_map(|f| package_at(*f)) else {
        return (!stack.is_empty()).then_some(0);
    };
    stack.iter().position(|f| package_at(*f) == Some(outermost))
}

/// A frame by its index.
pub(crate) fn frame(facts: &Facts, index: u32) -> Option<&Frame> {
    facts.frames.get(index as usize)
}

/// Position in a stack (innermost first) of a function: its innermost call.
pub(crate) fn place_of(facts: &Facts, stack: &[u32], function: &str) -> Option<usize> {
    stack.iter().position(|f| frame(facts, *f).is_some_and(|f| f.function == function))
}

/// Whether a function is on a stack.
pub(crate) fn is_inside(facts: &Facts, stack: &[u32], function: &str) -> bool {
    place_of(facts, stack, function).is_some()
}

/// The frame that owns what is done on a stack ([`owning_frame`]).
pub(crate) fn owner_on<'a>(facts: &'a Facts, stack: &[u32]) -> Option<&'a Frame> {
    frame(facts, *stack.get(owning_frame(facts, stack)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_known_by_their_type() {
        for (function, is) in [
            ("shop/bus.(*Bus).Publish", true),
            ("acme.dev/go-bus/v2.(*Bus).Publish", true),
            ("gopkg.in/bus%2ev3.(*Bus).Publish", true),
            ("shop/bus.(*Buses).Publish", false),
            ("shop/fares.(*Bus).Publish", false),
            ("bus.New", false),
        ] {
            assert_eq!(is_method_of(function, "bus.Bus"), is, "{function}");
        }
        assert!(is_receiver_of("main.(*cache)", "main.cache"));
    }

    #[test]
    fn what_is_all_the_librarys_is_of_the_outermost_package() {
        let at = |names: &[&str]| {
            let frames = names.iter().map(|f| Frame { function: (*f).into(), ..Frame::default() }).collect();
            let facts = Facts { frames, ..Facts::default() };
            let stack: Vec<u32> = (0..names.len() as u32).collect();
            owner_on(&facts, &stack).map(|f| f.function.clone()).unwrap()
        };
        let collected = ["bytes.growSlice", "io.Copy", "os/exec.(*Cmd).writerDescriptor.func1", "os/exec.(*Cmd).Start"];
        assert_eq!(at(&collected), "os/exec.(*Cmd).writerDescriptor.func1");
        assert_eq!(
            at(&["net.(*netFD).Read", "net/http.(*connReader).backgroundRead", "runtime.goexit"]),
            "net/http.(*connReader).backgroundRead"
        );
        assert_eq!(at(&["runtime.malg", "runtime.newproc1"]), "runtime.malg");
    }

    #[test]
    fn who_asks_a_pool_owns_what_it_makes() {
        let names = ["main.init.func1", "sync.(*Pool).Get", "main.handle"];
        let frames = names.map(|f| Frame { function: f.into(), ..Frame::default() });
        let facts = Facts { frames: frames.into(), ..Facts::default() };
        assert_eq!(owning_frame(&facts, &[0, 1, 2]), Some(2));
        assert_eq!(owning_frame(&facts, &[0, 2]), Some(0));
    }

    #[test]
    fn packages_and_owners() {
        assert!(is_of_its_elements("shop/trace.(*Tracer).Start", "map[uint64]*trace.tree"));
        assert!(!is_of_its_elements("shop/load.Drive", "map[uint64]*trace.tree"));
        assert!(!is_of_its_elements("shop/load.Drive", "map[string]struct {}"));
        assert!(is_of_its_elements("shop/sku.Load", "map[sku.ID]int"));
        assert_eq!(package("net/http.(*conn).serve"), "net/http");
        assert_eq!(package("example.com/a/b.v2.F"), "example.com/a/b");
        assert_eq!(package("main.main.func1"), "main");
        assert_eq!(package("example.com/a.(*Tree[go.shape.*example.com/b.T]).Get"), "example.com/a");
        assert_eq!(package("slices.Grow[[]go.shape.*example.com/b.T,go.shape.*example.com/b.T]"), "slices");
        assert_eq!(owner("main.buildAvidMap", "incident"), Owner::Program);
        assert_eq!(owner("incident/cache.Load", "incident"), Owner::Program);
        assert_eq!(owner("encoding/json.(*decodeState).object", "incident"), Owner::StandardLibrary);
        assert_eq!(owner("google.golang.org/protobuf/proto.Unmarshal", "example.com/svc"), Owner::Dependency);
        assert_eq!(owner("example.com/svcother.F", "example.com/svc"), Owner::Dependency);
    }
}
