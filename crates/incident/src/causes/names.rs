//! Names as words: what a key, a variable, a function are called has the same words.

use std::collections::BTreeSet;

/// Words that say nothing of which configuration or code it is.
const COMMON: [&str; 44] = [
    "config",
    "conf",
    "cfg",
    "json",
    "yaml",
    "yml",
    "toml",
    "txt",
    "main",
    "service",
    "server",
    "handler",
    "handle",
    "http",
    "get",
    "set",
    "the",
    "new",
    "map",
    "list",
    "data",
    "cache",
    "store",
    "global",
    "goroutine",
    "goroutines",
    "func",
    "func1",
    "func2",
    "prod",
    "app",
    "key",
    "value",
    "table",
    "internal",
    "pkg",
    "load",
    "build",
    "update",
    "watch",
    "net",
    "serve",
    "api",
    "item",
];

/// Words of a name: parts between separators, and of `camelCase`, in lower case; those that are common left
/// out.
#[must_use]
pub(crate) fn words(name: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for part in name.split(|c: char| !c.is_alphanumeric()) {
        let whole = part.to_lowercase();
        if whole.chars().count() >= 3 {
            out.insert(whole);
        }
        let (mut word, mut was_lower) = (String::new(), false);
        for c in part.chars() {
            if c.is_uppercase() && was_lower {
                add(&mut out, &mut word);
            }
            was_lower = c.is_lowercase() || c.is_numeric();
            word.extend(c.to_lowercase());
        }
        add(&mut out, &mut word);
    }
    out.retain(|w| !COMMON.contains(&w.as_str()) && !w.chars().all(|c| c.is_numeric()));
    out
}

fn add(out: &mut BTreeSet<String>, word: &mut String) {
    if word.chars().count() >= 3 {
        out.insert(std::mem::take(word));
    }
    word.clear();
}

/// Part of a key's words that are among those of code and variables, 0 to 1: one within another counts, as
/// `ugctab` in `buildugctab`.
#[must_use]
pub(crate) fn overlap(key: &BTreeSet<String>, code: &BTreeSet<String>) -> f64 {
    let is_there = |w: &&String| {
        code.iter()
            .any(|c| c == *w || (w.len() >= 5 && c.contains(w.as_str())) || (c.len() >= 5 && w.contains(c.as_str())))
    };
    if key.is_empty() { 0.0 } else { key.iter().filter(is_there).count() as f64 / key.len() as f64 }
}

/// Whether a name of the environment is the collector's.
pub(crate) fn is_of_the_collector(key: &str) -> bool {
    ["GOGC", "GOMEMLIMIT"].iter().any(|k| key.to_uppercase().contains(k))
}

/// Whether a variable is named by its place alone, as in a stripped binary: `svc bss+0x860`.
pub(crate) fn is_offset(name: &str) -> bool {
    name.split_whitespace().any(|w| w.contains("+0x"))
}

/// A name for what jumped in the heap, by its owner: the variable and its fields; of what a goroutine holds
/// the fields, or else its function. `also` are other owners of the same jump and the functions of the
/// growth, the better known first.
#[must_use]
pub(crate) fn census_key(owner: &str, also: &[&str]) -> String {
    let own = of_owner(owner);
    if own.1 >= 2 {
        return own.0;
    }
    let others = also.iter().map(|o| of_owner(o)).chain([own]);
    others.max_by_key(|(name, worth)| (*worth, std::cmp::Reverse(name.len()))).map(|(n, _)| n).unwrap_or_default()
}

/// The name, and how much it tells: 3 a variable with fields, 2 a variable or a field, 1 a function, 0
/// nothing.
fn of_owner(owner: &str) -> (String, u8) {
    let fields: Vec<&str> = owner.split_whitespace().filter(|w| w.starts_with('.') && w.len() > 1).collect();
    let fields: String = fields.concat();
    if let Some(rest) = owner.strip_prefix("global ") {
        let variable = rest.split_whitespace().next().unwrap_or_default();
        if !rest.contains(" variables+") && !variable.contains('+') && !variable.is_empty() {
            return (format!("{variable}{fields}"), if fields.is_empty() { 2 } else { 3 });
        }
    }
    if !fields.is_empty() {
        return (fields.trim_start_matches('.').to_owned(), 2);
    }
    // A variable of a stripped program: where it stands is no name.
    if owner.starts_with("global ") {
        return (String::new(), 0);
    }
    let function = owner.rsplit(" in ").next().unwrap_or(owner).split_whitespace().next().unwrap_or_default();
    (short_function(function).to_owned(), u8::from(!function.is_empty()))
}

/// `main.(*Server).ugcTab-fm` -> `ugcTab`.
#[must_use]
pub(crate) fn short_function(function: &str) -> &str {
    let f = function.trim_end_matches("-fm");
    let f = f.rsplit('/').next().unwrap_or(f);
    // Closures are named after what they are in.
    let mut parts = f.split('.').filter(|p| !(p.starts_with("func") && p.chars().skip(4).all(char::is_numeric)));
    parts.next_back().filter(|p| !p.is_empty()).unwrap_or(f)
}

/// A function as people name what it serves: with its package, where that is one of many
/// (`svc/ugctab.Handle` -> `ugctab.Handle`: the package says which configuration it is).
#[must_use]
pub(crate) fn hot_name(function: &str) -> String {
    let short = short_function(function);
    let package = function.rsplit('/').next().and_then(|last| last.split('.').next()).unwrap_or_default();
    if matches!(package, "main" | "") || package == short { short.to_owned() } else { format!("{package}.{short}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_keys_and_of_code_meet() {
        let key = words("/prod/config/ugctab.json");
        assert_eq!(key.iter().map(String::as_str).collect::<Vec<_>>(), ["ugctab"]);
        let code = words("main.(*Server).ugcTab main.buildAvidMap");
        assert!(overlap(&key, &code) > 0.99, "{code:?}");
        assert!(overlap(&words("banners"), &code) < 0.01);
        assert!(overlap(&words("avid-list"), &code) > 0.99);
        assert_eq!(overlap(&BTreeSet::new(), &code), 0.0);
    }

    #[test]
    fn a_key_by_the_heap_alone() {
        assert_eq!(census_key("global main.ugctab .cache .avids", &[]), "main.ugctab.cache.avids");
        assert_eq!(census_key("goroutine in main.watch .avids", &["main.x"]), "avids");
        assert_eq!(
            census_key("goroutine in main.(*configStore).watch [+32 +0]", &["goroutine in main.(*Server).ugcTab-fm"]),
            "watch"
        );
        assert_eq!(census_key("global resource-service variables+0x4e3d0", &["main.(*Server).ugcTab"]), "ugcTab");
        assert_eq!(short_function("svc/x.(*T).run.func1"), "run");
        assert_eq!(short_function(""), "");
        assert_eq!(hot_name("example.com/svc/ugctab.Handle"), "ugctab.Handle");
        assert_eq!(hot_name("main.(*Server).ugcTab-fm"), "ugcTab");
        assert_eq!(hot_name(""), "");
    }
}
