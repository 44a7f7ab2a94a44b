//! What is there for tests and for who writes the program, by the names of folders and files.

/// Whether a file stands in a folder of what tests or developers use, or is named after tests: it ends with
/// them, and its findings are hints.
pub(crate) fn supports_tests(file: &str) -> bool {
    let (folders, name) = file.rsplit_once('/').unwrap_or(("", file));
    let used = folders.split('/').any(|f| {
        matches!(
            f,
            "integration" | "testing" | "testutil" | "testutils" | "testhelper" | "testhelpers" | "e2e" | "tests"
        ) || f.ends_with("test") && !matches!(f, "latest" | "contest" | "attest")
            || f.ends_with("-tests")
            || f.ends_with("_tests")
            || f.ends_with("testutil")
            || f.ends_with("testutils")
            || f.starts_with("test") && !f.starts_with("testimon") && !f.starts_with("testament")
            || stands_in(f)
            || is_for_developers(f)
    });
    used || stands_in(name.trim_end_matches(".go")) || name == "tools.go" || name.starts_with("tools_")
}

/// Whether a folder holds what is run by who writes the program, by hand and for a while: benchmarks,
/// examples, tools, one-off migrations.
fn is_for_developers(folder: &str) -> bool {
    matches!(
        folder,
        "bench"
            | "benches"
            | "benchmark"
            | "benchmarks"
            | "example"
            | "examples"
            | "_examples"
            | "demo"
            | "demos"
            | "sample"
            | "samples"
            | "tools"
            | "hack"
            | "scripts"
            | "migrations"
            | "stress"
            | "loadtest"
            | "crossdock"
            | "toxiproxy"
            | "interop"
            | "acceptance"
            | "endtoend"
            | "fixtures"
    ) || folder.starts_with("bench_")
        || folder.ends_with("bench") && folder != "workbench"
        || folder.ends_with("example")
        || folder.starts_with("example-")
        || folder.starts_with("example_")
        || folder.ends_with("-benchmark")
        || folder.ends_with("tool") && folder.len() > "tool".len()
        // `internal/cmd/issue-465`: one program that shows one defect.
        || folder.strip_prefix("issue").is_some_and(|n| n.trim_start_matches('-').parse::<u32>().is_ok())
}

/// Whether a name, of a type or of a file, says that it stands in for something in tests: a word of it is
/// `fake`, `mock` or `test`.
pub(crate) fn stands_in(name: &str) -> bool {
    let mut words: Vec<String> = Vec::new();
    let chars: Vec<char> = name.chars().collect();
    for (n, c) in chars.iter().enumerate() {
        let before = n.checked_sub(1).and_then(|b| chars.get(b));
        let after_upper = before.is_some_and(|b| b.is_uppercase());
        let last_of_acronym = after_upper && chars.get(n + 1).is_some_and(|a| a.is_lowercase());
        if !c.is_alphanumeric() || words.is_empty() || c.is_uppercase() && (!after_upper || last_of_acronym) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.iter().any(|w| matches!(w.as_str(), "fake" | "fakes" | "mock" | "mocks" | "test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_what_stands_in_for_something_in_tests() {
        for name in ["fakeFS", "MockStore", "proxyGRPCTestServer", "TestTransport", "test_helpers", "user_mock"] {
            assert!(stands_in(name), "{name}");
        }
        for name in ["attestor", "Latest", "contestServer", "fakery", "Testament", "server", "protest"] {
            assert!(!stands_in(name), "{name}");
        }
        assert!(supports_tests("internal/tools/test_helpers.go") && supports_tests("test/client/client.go"));
        assert!(!supports_tests("internal/latest/server.go") && !supports_tests("main.go"));
        for file in [
            "bench/bench_reader/reader.go",
            "cmd/dbbench/http.go",
            "cmd/stress/run.go",
            "tools/license/check.go",
            "migrations/inputs/m.go",
            "examples/a.go",
            "internal/cmd/issue-465/main.go",
            "crossdock/services/query.go",
            "samples/web/web.go",
            "cmd/upgrade-tests/main.go",
        ] {
            assert!(supports_tests(file), "{file}");
        }
        for file in
            ["issues/list.go", "benchmarking/api.go", "toolserver/serve.go", "migrate/run.go", "internal/exampled/a.go"]
        {
            assert!(!supports_tests(file), "{file}");
        }
    }
}
