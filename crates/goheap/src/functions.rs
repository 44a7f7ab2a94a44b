//! Whose a function is, by its name: the program's main module's, another module's, the runtime's, else of
//! the standard library.

/// Whether a function is of the program's main module.
pub(crate) fn is_of_program(function: &str, module: &str) -> bool {
    let rest = function.strip_prefix(module).filter(|_| !module.is_empty());
    function.starts_with("main.") || rest.is_some_and(|rest| rest.starts_with(['/', '.']))
}

/// Whether a function is of a module that has a host in its path.
pub(crate) fn is_of_module(function: &str) -> bool {
    function.split_once('/').is_some_and(|(host, _)| host.contains('.'))
}

/// Whether a function, or a variable, is the runtime's own.
pub(crate) fn is_of_runtime(name: &str) -> bool {
    ["runtime.", "internal/runtime/", "runtime/internal/"].iter().any(|own| name.starts_with(own))
}

/// Whether a function is of the standard library, the runtime included.
pub(crate) fn is_standard(function: &str, module: &str) -> bool {
    !is_of_program(function, module) && !is_of_module(function)
}

/// Whether a function is of the operation by which a goroutine waits.
pub(crate) fn is_of_waiting(function: &str) -> bool {
    ["runtime.", "internal/runtime/", "internal/sync.", "sync.(*Mutex).", "sync.(*RWMutex).", "sync.(*WaitGroup)."]
        .iter()
        .chain(&["sync.(*Cond).", "sync.runtime_", "internal/poll.runtime_"])
        .any(|own| function.starts_with(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_of_one_of_three() {
        let of = |f: &str| (is_of_program(f, "shop"), is_of_module(f), is_standard(f, "shop"));
        assert_eq!(of("main.main"), (true, false, false));
        assert_eq!(of("shop/cart.(*Cart).Add"), (true, false, false));
        assert_eq!(of("shop.Run"), (true, false, false));
        assert_eq!(of("shopping.Run"), (false, false, true));
        assert_eq!(of("github.com/a/b.C"), (false, true, false));
        assert_eq!(of("net/http.(*conn).serve"), (false, false, true));
        assert_eq!(of("runtime.gopark"), (false, false, true));
        assert!(is_standard("strings.Builder.grow", "") && is_of_program("example.com/x.F", "example.com/x"));
        assert!(is_of_runtime("internal/runtime/maps.newTable") && !is_of_runtime("runtimes.F"));
    }
}
