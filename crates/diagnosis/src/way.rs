//! A way through the heap, from a root to what it keeps, in words of the source.

/// `global main.cache .avids -> []int64`: the steps, then the type of what they lead to. A way whose last
/// step is that type already ends with it once.
#[must_use]
pub fn way(steps: &[String], type_name: &str) -> String {
    let named = by_timers(steps);
    let (mut steps, mut end) = (named.as_deref().unwrap_or(steps), type_name);
    if let Some((last, before)) = steps.split_last()
        && !before.is_empty()
        && (last == type_name || type_name.is_empty() && is_type(last))
    {
        (steps, end) = (before, last);
    }
    let way = joined(steps);
    match (way.is_empty(), end.is_empty()) {
        (_, true) => way,
        (true, false) => end.to_owned(),
        (false, false) => format!("{way} -> {end}"),
    }
}

/// What is kept by timers that have not fired, by that name: the runtime keeps them with its processors
/// (`runtime.allp`, `p.timers`; `runtime/time.go`), and nobody looks for a timer there (seen from outside: an
/// hour's `time.AfterFunc` for each upload, told as `runtime.allp [...] .timers.heap [...].timer`).
fn by_timers(steps: &[String]) -> Option<Vec<String>> {
    let at = steps.iter().take(4).position(|s| s.starts_with(".timers"))?;
    let rest = steps.get(at + 1..)?.iter().skip_while(|s| s.starts_with("[...]") || *s == "?");
    // A program may have no name for it, and nobody else has such a field of such elements.
    let is_heap = || steps.get(at).is_some_and(|s| s == ".timers.heap") && is_timer(steps.get(at + 1));
    let of_the_runtime = steps.first().is_some_and(|root| root.ends_with(" runtime.allp"));
    (of_the_runtime || is_heap()).then(|| std::iter::once(TIMERS.to_owned()).chain(rest.cloned()).collect())
}

fn is_timer(step: Option<&String>) -> bool {
    step.is_some_and(|s| s.starts_with("[...].timer"))
}

/// Whether a way is by timers that have not fired.
pub(crate) fn is_by_timers(steps: &[String]) -> bool {
    by_timers(steps).is_some()
}

/// The function that captures what a way leads to, the first of them: `main.later.func1` of
/// `[func main.later.func1] .X1`.
pub(crate) fn function_of(steps: &[String]) -> Option<&str> {
    // A name may have brackets of its own: `main.on[...].func1`.
    let captured = steps.iter().find_map(|step| step.strip_prefix("[func "))?;
    Some(captured.split_once("] ").map_or_else(|| captured.trim_end_matches(']'), |(name, _)| name))
}

/// How timers are called that keep something.
const TIMERS: &str = "timers that have not fired";

/// Steps in a row; of two that come again and again (the links of a list, each behind a slice) how often.
fn joined(steps: &[String]) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(step) = steps.get(at) {
        let pair = steps.get(at..at + 2).unwrap_or_default();
        let times = steps.get(at..).unwrap_or_default().chunks_exact(2).take_while(|next| *next == pair).count();
        // What comes right behind the root stays as it is: its name ends there.
        if times > 2 && at > 1 {
            out.push(format!("({} x {})", pair.join(" "), times));
            at += 2 * times;
        } else {
            out.push(step.clone());
            at += 1;
        }
    }
    out.join(" ")
}

/// Whether a step is a type, and no field, element or frame.
fn is_type(step: &str) -> bool {
    !step.starts_with(['.', '(']) && !["[...]", "[frame ", "[func "].iter().any(|no| step.starts_with(no))
}

/// The first step of a way in words: what stands before the first field, element or type.
pub(crate) fn root_of(way: &str) -> &str {
    let end = [" .", " [", " ->"].iter().filter_map(|stop| way.find(stop)).min().unwrap_or(way.len());
    way.get(..end).unwrap_or(way)
}

/// Whether a way in words starts at a root of this name: `global main.cache .avids` at `main.cache`.
pub(crate) fn starts_at(way: &str, name: &str) -> bool {
    let root = root_of(way);
    !name.is_empty() && (root == name || root.strip_suffix(name).is_some_and(|before| before.ends_with(' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_in_words() {
        let way =
            |steps: &[&str], kind: &str| super::way(&steps.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), kind);
        let whole = "global main.cache .avids -> []int64";
        assert_eq!(way(&["global main.cache", ".avids", "[]int64"], "[]int64"), whole);
        assert_eq!(way(&["global main.cache", ".avids"], "[]int64"), whole);
        assert_eq!(way(&["global main.cache", ".avids", "[]int64"], ""), whole);
        assert_eq!(way(&["global main.cache", ".avids"], ""), "global main.cache .avids");
        assert_eq!(way(&["global main.cache"], "main.cache"), "global main.cache -> main.cache");
        assert_eq!(way(&["goroutine in main.f", "[frame main.g]"], ""), "goroutine in main.f [frame main.g]");
        assert_eq!(way(&[], "[]int64"), "[]int64");
        assert_eq!(way(&[], ""), "");
        let timer = ["runtime runtime.allp", "[...]", ".timers.heap", "[...].timer", "?", ".X1", ".parts"];
        assert_eq!(way(&timer, "[]uint8"), "timers that have not fired .X1 .parts -> []uint8");
        let before_1_23 = ["global runtime.allp", "[...]", ".timers", "[...]", "?"];
        assert_eq!(way(&before_1_23, ""), "timers that have not fired");
        assert_eq!(way(&["global main.jobs", "[...]", ".timers"], ""), "global main.jobs [...] .timers");
        let closure = ["global main.hooks", "[...]", "[func main.on.func1] .X0"];
        assert_eq!(way(&closure, ""), "global main.hooks [...] [func main.on.func1] .X0");
        let generic = ["global main.hooks", "[func main.on[...].func1] (captured)"].map(str::to_owned);
        assert_eq!(function_of(&generic), Some("main.on[...].func1"));
        let list =
            ["global main.list", ".header", ".forward", "[...]", ".forward", "[...]", ".forward", "[...]", ".value"];
        assert_eq!(way(&list, "main.entry"), "global main.list .header (.forward [...] x 3) .value -> main.entry");
        assert_eq!(way(&list[..6], ""), "global main.list .header .forward [...] .forward [...]");
    }

    #[test]
    fn the_root_of_a_way() {
        assert!(starts_at("global main.cache .avids -> []int64", "main.cache"));
        assert!(starts_at("goroutines in main.(*Server).ugcTab -> map[int64]int64", "main.(*Server).ugcTab"));
        assert!(starts_at("main.cache", "main.cache"));
        assert!(starts_at("goroutine in main.handle [frame main.build] -> []int64", "main.handle"));
        assert!(!starts_at("global main.cacheOfOthers", "main.cache"));
        assert!(!starts_at("global xmain.cache", "main.cache"));
        assert!(!starts_at("global main.other .main.cache", "main.cache"));
        assert!(!starts_at("global main.cache", ""));
    }
}
